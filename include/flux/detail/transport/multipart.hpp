// A strict, incremental parser of HTML forms that hold files: multipart/form-data (RFC 7578, RFC 2046 section 5.1).
// Bytes in, events out; no I/O.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

/// The `boundary` of a Content-Type; none if it has no valid one.
std::optional<std::string> multipart_boundary(std::string_view content_type);

/// Limits of one form. Sizes are bytes.
struct MultipartLimits {
  std::size_t parts_max = 100;        ///< fields and files
  std::size_t head_bytes_max = 8192;  ///< the header of one part
  std::size_t ignored_bytes_max =
      8192;  ///< what precedes the first boundary, follows the last one or pads one; roughly
};

/// What the header of a part says.
struct MultipartPart {
  std::string name{};                      ///< of the field
  std::optional<std::string> file_name{};  ///< none: the part is not a file. Empty: no file was chosen
  std::string media_type{};                ///< empty: unknown
};

/// Splits the body of a form into parts, one event per call:
///
///   part, data..., part_end, part, data..., part_end, ..., end
///
/// with need_more whenever bytes are missing, or a final error.
///
/// Quotes and line ends in names are read as browsers write them (`%22`, `%0D`, `%0A`:
/// https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data), and quotes also with a
/// backslash. Refused are `filename*`, which the RFC forbids, and transfer encodings, because storing an encoded file would
/// create an unintended one.
///
/// The work per byte is constant however the body is cut. Memory: the header of one part.
/// Threading: one thread at a time.
class MultipartParser {
 public:
  enum class Event : std::uint8_t {
    need_more,  ///< all of `in` was consumed: call again with more bytes
    part,       ///< part() is the header of the next part
    data,       ///< data() is the next piece of the part, not empty; valid while `in` is
    part_end,   ///< the part is complete
    end,        ///< the form is complete; what follows is ignored
    error       ///< see error_text(). Final
  };

  /// `boundary`: as `multipart_boundary` returns it.
  explicit MultipartParser(std::string_view boundary, const MultipartLimits& limits = {});

  /// Reads the next event from the front of `in` and removes the bytes it consumed.
  Event next(std::string_view& in);

  const MultipartPart& part() const noexcept { return part_; }
  std::string_view data() const noexcept { return data_; }
  /// Whether the last boundary was read: a body that ends before that is incomplete.
  bool complete() const noexcept { return state_ == State::epilogue; }
  /// A sentence about the form that the client may read.
  const std::string& error_text() const noexcept { return error_; }

 private:
  enum class State : std::uint8_t { preamble, boundary, head, data, epilogue, failed };
  enum class Tail : std::uint8_t { none, dash, padding, cr };  // what follows a boundary, so far

  std::optional<Event> step(std::string_view& in);
  std::string_view take_until_boundary(std::string_view& in);
  bool at_boundary() const noexcept { return matched_ == delimiter_.size(); }
  void begin_boundary();
  std::optional<Event> ignore(std::size_t bytes);
  std::optional<Event> read_preamble(std::string_view& in);
  std::optional<Event> read_tail(std::string_view& in);
  std::optional<Event> read_head(std::string_view& in);
  std::optional<Event> read_data(std::string_view& in);
  std::optional<Event> finish_head();
  bool read_field(std::string_view line);
  bool read_disposition(std::string_view value);
  bool fails(std::string why);
  Event fail(std::string why);

  const MultipartLimits limits_;
  const std::string delimiter_;  // a line end, two dashes and the boundary; its first byte occurs nowhere else in it
  State state_ = State::preamble;
  Tail tail_ = Tail::none;
  std::size_t matched_ = 2;  // bytes of the delimiter that were read; the body begins as if after a line end
  std::size_t ignored_ = 0;
  std::size_t parts_ = 0;
  std::size_t head_bytes_ = 0;
  bool has_disposition_ = false;
  std::string line_;  // of a header, incomplete
  MultipartPart part_;
  std::string_view data_;
  std::string error_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/multipart.ipp>
#endif
