// Members' upload tickets: what is signed, and that changes are detected.
#include "catch.hpp"

#include <flux/detail/core/digest.hpp>
#include <flux/detail/gate/file_link.hpp>
#include <flux/detail/gate/upload_ticket.hpp>

namespace upload_ticket_test {

using namespace flux;
using namespace flux::gate;

TEST_CASE("upload ticket: it can be read until it expires, with the key that signed it") {
  if (!core::has_digests()) return;
  const UploadTickets tickets("0123456789abcdef");
  const UploadTicket ticket{"0123456789abc", "gärten & \"höfe\"\n", 1'000'000};
  const std::string text = tickets.sign(ticket).value();
  for (const char c : text) {
    CHECK(((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.'));
  }
  CHECK(tickets.read(text, 0) == ticket);
  CHECK(tickets.read(text, 1'000'000) == ticket);
  CHECK_FALSE(tickets.read(text, 1'000'001));
  CHECK(UploadTickets("0123456789abcdef").read(text, 0) == ticket);
  CHECK_FALSE(UploadTickets("0123456789abcdeg").read(text, 0));
  CHECK_FALSE(UploadTickets("").read(text, 0));
  CHECK_FALSE(UploadTickets("").read(UploadTickets("").sign(ticket).value(), 0));
}

TEST_CASE("upload ticket: no byte can be changed, removed or added") {
  if (!core::has_digests()) return;
  const UploadTickets tickets("0123456789abcdef");
  const std::string text = tickets.sign({"0123456789abc", "r", 1'000'000}).value();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = other[i] == '1' ? '2' : '1';
    CHECK_FALSE(tickets.read(other, 0));
    CHECK_FALSE(tickets.read(std::string(text).erase(i, 1), 0));
    CHECK_FALSE(tickets.read(std::string(text).insert(i, "0"), 0));
  }
  for (const char* bad : {"", ".", "...", "1.2.3.4"}) CHECK_FALSE(tickets.read(bad, 0));
}

TEST_CASE("upload ticket: a file link's signature is not valid for a ticket") {
  if (!core::has_digests()) return;
  const std::string key = "0123456789abcdef";
  const std::string query = FileLinks(key).query("1000000.0123456789abc.72", 1'000'000, "").value();
  const std::string signature = query.substr(query.rfind('=') + 1);
  CHECK_FALSE(UploadTickets(key).read("1000000.0123456789abc.72." + signature, 0));
}

}  // namespace upload_ticket_test
