// The feature of servers with a file store: its life, and the interface for other features.
#pragma once

#include <flux/detail/features/backend.hpp>
#include <flux/detail/features/file_feature.hpp>
#include <flux/detail/features/files.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/gate/file_link.hpp>
#include <flux/detail/gate/upload_ticket.hpp>
#include <flux/detail/mode.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flux::features {

/// `Files` runs while the server does, and is swept and cleaned at intervals.
class FilesService final : public Service, public FileFeature {
 public:
  /// `backend` must outlive it, and its options must have a store.
  explicit FilesService(Backend& backend);

  const std::shared_ptr<Files>& files() const noexcept { return files_; }
  StoreFaults& faults() const noexcept { return *faults_; }
  const gate::UploadTickets& tickets() const noexcept { return tickets_; }
  const gate::FileLinks& links() const noexcept { return links_; }

  FLUX_DECL void start(core::Loop& loop) override;
  void stop() override { files_->stop(); }
  void add_metrics(core::MetricSet& metrics) const override { faults_->add_metrics(metrics, "files"); }

  void find(const FileId& id, Done<FileInfo> done) override { files_->find(id, std::move(done)); }
  JsonText stored_data(const FileInfo& file) const override { return features::stored_data(file); }
  void hold(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) override {
    files_->hold(id, std::move(holder), std::move(done));
  }
  void hold_to_store(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) override {
    files_->hold_to_store(id, std::move(holder), std::move(done));
  }
  Result<FileHoldPtr> hold_again(const FileId& id) override { return files_->hold_again(id); }
  FLUX_DECL void ask_to_share(const SessionPtr& session, const FileInfo& file, const RoomId& room,
                              const Done<FileHolder>& done) override;
  FLUX_DECL void store_whole(const SessionPtr& session, WholeFile whole, std::function<bool()> wanted,
                             Done<FileHoldPtr> done) override;
  FLUX_DECL void store_new(const std::shared_ptr<core::Loop>& loop, NewFile file, Done<FileInfo> done) override;
  FLUX_DECL Result<SignedTicket> upload_ticket(const detail::SessionState& session, const RoomId& room) const override;
  FLUX_DECL Result<std::string> link(const FileId& file, std::chrono::seconds valid_for,
                                     std::string_view file_name) const override;
  void page(FileQuery query, Done<FilesPage> done) override { files_->page(std::move(query), std::move(done)); }
  void cleanup(Done<FileCleanup> done) override { files_->cleanup(std::move(done)); }

 private:
  const FilesOptions& options() const noexcept { return backend_.config.files; }
  FileInfo new_file(std::string name, std::string media_type, std::string owner, std::uint64_t size) const;
  void sweep(core::Loop& loop);
  void clean(core::Loop& loop);

  Backend& backend_;
  const std::shared_ptr<StoreFaults> faults_;
  const std::shared_ptr<Files> files_;
  const gate::UploadTickets tickets_;
  const gate::FileLinks links_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/files_service.ipp>
#endif
