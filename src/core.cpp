// The compiled mode's translation unit of core: errors, values, JSON, event loops, lanes; also Config and the stores' queue.
#include <flux/detail/core/digest.ipp>
#include <flux/detail/core/error.ipp>
#include <flux/detail/core/ip_address.ipp>
#include <flux/detail/core/json.ipp>
#include <flux/detail/core/lane.ipp>
#include <flux/detail/core/loop.ipp>
#include <flux/detail/core/metrics.ipp>
#include <flux/detail/core/types.ipp>
#include <flux/detail/core/utf8.ipp>
#include <flux/detail/core/uuid.ipp>
#include <flux/detail/server/config.ipp>
#include <flux/detail/storage/store_queue.ipp>
