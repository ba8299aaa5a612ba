// The compiled mode's translation unit of channels. Programs that don't use them don't link it.
#include <flux/detail/features/channel_history.ipp>
#include <flux/detail/features/channel_lanes.ipp>
#include <flux/detail/features/channel_name.ipp>
#include <flux/detail/features/channel_presence.ipp>
#include <flux/detail/features/channel_table.ipp>
