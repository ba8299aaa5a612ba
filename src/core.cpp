// The compiled mode's translation unit of core: errors, values, JSON, event loops, lanes; also Config, the stores'
// queue, chat in memory.
#include <flux/detail/core/address_seats.ipp>
#include <flux/detail/core/call_faults.ipp>
#include <flux/detail/core/digest.ipp>
#include <flux/detail/core/error.ipp>
#include <flux/detail/core/ip_address.ipp>
#include <flux/detail/core/json.ipp>
#include <flux/detail/core/lane.ipp>
#include <flux/detail/core/lane_output.ipp>
#include <flux/detail/core/loop.ipp>
#include <flux/detail/core/members.ipp>
#include <flux/detail/core/metrics.ipp>
#include <flux/detail/core/random.ipp>
#include <flux/detail/core/types.ipp>
#include <flux/detail/core/utf8.ipp>
#include <flux/detail/core/uuid.ipp>
#include <flux/detail/server/config.ipp>
#include <flux/detail/storage/memory_chat_store.ipp>
#include <flux/detail/storage/store_queue.ipp>
