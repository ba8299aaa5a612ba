#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/files/form_post.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_chars.hpp>

#include <utility>

namespace flux::detail {

// --- One file ---

FLUX_DECL void FormFile::start(const transport::MultipartPart& part, const Announced& announced) {
  file_.name = part.file_name.value_or(std::string());
  file_.media_type = part.media_type;
  announced_ = announced;
  create_file();
}

FLUX_DECL void FormFile::received(const FileUpload::Outcome& outcome) {
  const auto form = std::exchange(form_, nullptr);
  if (outcome.end == FileUpload::End::whole) return form->received(self());
  form->file_failed();
  remove_file(outcome.error ? form->limit_error(*outcome.error) : form->error());
}

FLUX_DECL void FormFile::complete(std::shared_ptr<FormPost> form) {
  form_ = std::move(form);
  complete_file();
}

FLUX_DECL void FormFile::stored() { std::exchange(form_, nullptr)->stored(self()); }

// --- The form ---

FLUX_DECL bool FormPost::is_form(const transport::HttpHead& head) {
  const std::string_view type = head.header("Content-Type").value_or("");
  return transport::equals_ignore_case(transport::detail::trim_blanks(type.substr(0, type.find(';'))),
                                       "multipart/form-data");
}

FLUX_DECL FormPost::FormPost(std::shared_ptr<FileCall> call, std::shared_ptr<UploadState> uploads)
    : call_(std::move(call)), uploads_(std::move(uploads)), announced_(UploadRequest::in_query(call_->head(), {})) {}

FLUX_DECL FormPost::~FormPost() {
  for (const auto& file : files_) {
    if (file) file->discard();
  }
}

FLUX_DECL void FormPost::start() {
  const auto boundary = transport::multipart_boundary(call_->head().header("Content-Type").value_or(""));
  if (!boundary) return fail(Error(Errc::invalid_argument, "the Content-Type of a form needs a valid boundary"));
  parser_.emplace(*boundary);
  const auto self = shared_from_this();
  call_->read([self](std::string_view piece) { self->on_piece(piece); },
              [self](bool complete) { self->on_body_over(complete); });
}

// --- Its bytes ---

FLUX_DECL void FormPost::on_piece(std::string_view piece) {
  if (over_) return;
  if (held_) {
    waiting_.append(piece);
  } else {
    parse(piece);
  }
}

FLUX_DECL void FormPost::on_body_over(bool complete) {
  body_over_ = true;
  if (complete) return proceed();
  over_ = true;
  end_file(false);
}

FLUX_DECL void FormPost::hold() {
  held_ = true;
  call_->pause();
}

FLUX_DECL void FormPost::release() {
  held_ = false;
  proceed();
  if (!held_) call_->resume();
}

/// Parses what was received meanwhile, unless a call of `parse` further out does that.
FLUX_DECL void FormPost::proceed() {
  if (held_ || over_ || parsing_) return;
  const std::string bytes = std::exchange(waiting_, {});
  parse(bytes);
  if (held_ || over_ || !body_over_) return;
  over_ = true;
  if (!parser_->complete()) {
    return fail(Error(Errc::invalid_argument, "the form has no end: its last boundary is missing"));
  }
  if (files_.empty()) return fail(Error(Errc::invalid_argument, "the form has no file"));
  complete_next();
}

/// Parses until the form is held or over; the rest waits.
FLUX_DECL void FormPost::parse(std::string_view in) {
  parsing_ = true;
  Event event = Event::part;
  while (!held_ && !over_ && event != Event::need_more) {
    event = parser_->next(in);
    switch (event) {
      case Event::need_more:
      case Event::end: break;
      case Event::part: begin_part(); break;
      case Event::data: take_data(parser_->data()); break;
      case Event::part_end: end_part(); break;
      case Event::error: fail(Error(Errc::invalid_argument, parser_->error_text())); break;
    }
  }
  waiting_.assign(in);
  parsing_ = false;
}

FLUX_DECL void FormPost::begin_part() {
  const transport::MultipartPart& part = parser_->part();
  if (part.file_name) return begin_file(part);
  const std::pair<std::string_view, std::string*> known[] = {
      {"room", &announced_.room}, {"ticket", &announced_.ticket}, {"upload_id", &announced_.upload_id}};
  field_ = &ignored_;
  for (const auto& [name, value] : known) {
    if (part.name != name) continue;
    if (!files_.empty()) {
      return fail(Error(Errc::invalid_argument, "the field " + part.name + " of a form comes before its files"));
    }
    field_ = value;
  }
  field_->clear();
}

FLUX_DECL void FormPost::begin_file(const transport::MultipartPart& part) {
  if (part.file_name->empty()) {
    return fail(Error(Errc::invalid_argument, "no file was chosen for the field \"" + core::shown(part.name) + "\""));
  }
  hold();
  std::make_shared<FormFile>(call_, uploads_, shared_from_this())->start(part, announced_);
}

/// The file exists, and wants its bytes.
FLUX_DECL void FormPost::read(HttpExchangeState::BodyPiece piece, HttpExchangeState::BodyDone done) {
  file_piece_ = std::move(piece);
  file_done_ = std::move(done);
  if (over_) return end_file(false);
  release();
}

FLUX_DECL void FormPost::take_data(std::string_view data) {
  if (!field_) {
    file_bytes_ += data.size();
    auto take = std::exchange(file_piece_, nullptr);  // it may end the file
    take(data);
    if (!over_) file_piece_ = std::move(take);
    return;
  }
  if (field_->size() + data.size() > field_bytes_max) {
    return fail(Error(Errc::message_too_large, "the field \"" + core::shown(parser_->part().name) + "\" has at most " +
                                                   std::to_string(field_bytes_max) +
                                                   " bytes; a file needs a filename"));
  }
  field_->append(data);
}

FLUX_DECL void FormPost::end_part() {
  if (std::exchange(field_, nullptr)) return;
  hold();
  end_file(true);
}

FLUX_DECL void FormPost::end_file(bool whole) {
  file_piece_ = nullptr;
  if (const auto done = std::exchange(file_done_, nullptr)) done(whole);
}

FLUX_DECL void FormPost::received(std::shared_ptr<FormFile> file) {
  files_.push_back(std::move(file));
  release();
}

FLUX_DECL void FormPost::file_failed() {
  over_ = true;
  file_piece_ = nullptr;
  file_done_ = nullptr;
}

/// All files of the form are unfinished until its end: one that exceeds a limit by itself would do so again.
FLUX_DECL Error FormPost::limit_error(Error error) const {
  if (error.code() != Errc::limit_exceeded || files_.empty()) return error;
  const std::size_t files_max = call_->options().unfinished_uploads_per_address_max;
  if (files_max != 0 && files_.size() >= files_max) {
    return Error(Errc::message_too_large,
                 "a form has at most " + std::to_string(files_max) + " files here; upload the others with another one");
  }
  const std::uint64_t bytes_max = call_->options().unfinished_bytes_per_address_max;
  if (bytes_max == 0 || file_bytes_ <= bytes_max) return error;
  return Error(Errc::message_too_large, "the files of a form have at most " + std::to_string(bytes_max) +
                                            " bytes together here; upload them one by one");
}

FLUX_DECL void FormPost::fail(Error error) {
  over_ = true;
  if (!file_done_) return call_->fail(error);
  error_ = std::move(error);
  end_file(false);
}

// --- Its end ---

FLUX_DECL void FormPost::complete_next() { std::exchange(files_[complete_], nullptr)->complete(shared_from_this()); }

FLUX_DECL void FormPost::stored(std::shared_ptr<FormFile> file) {
  files_[complete_++] = std::move(file);
  if (call_->over()) return;
  if (complete_ < files_.size()) return complete_next();
  finish();
}

FLUX_DECL void FormPost::finish() {
  std::string json;
  FileId only;
  for (auto& owned : files_) {
    const auto file = std::exchange(owned, nullptr);
    file->keep();
    json.append(json.empty() ? "" : ",").append(complete_file_json(file->info()));
    only = file->info().id;
  }
  transport::HttpFields fields;
  if (files_.size() == 1) fields.emplace_back("Location", file_location(call_->options(), only));
  call_->answer(201, "{\"files\":[" + json + "]}", std::move(fields), "application/json");
}

}  // namespace flux::detail
