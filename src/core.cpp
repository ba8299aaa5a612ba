// The compiled mode's translation unit of core: errors, values, JSON, event loops, lanes; and of storage.
#include <flux/impl/config.ipp>
#include <flux/impl/core/digest.ipp>
#include <flux/impl/core/ip_address.ipp>
#include <flux/impl/core/lane.ipp>
#include <flux/impl/core/loop.ipp>
#include <flux/impl/core/utf8.ipp>
#include <flux/impl/core/uuid.ipp>
#include <flux/impl/error.ipp>
#include <flux/impl/json.ipp>
#include <flux/impl/storage/store_queue.ipp>
#include <flux/impl/types.ipp>
