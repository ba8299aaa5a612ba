// The compiled mode's translation unit of channels. Programs that don't use them don't link it.
#include <flux/detail/endpoints/realtime/realtime_codec.ipp>
#include <flux/detail/endpoints/realtime/realtime_endpoint.ipp>
#include <flux/detail/endpoints/realtime/realtime_session.ipp>
#include <flux/detail/features/channel_history.ipp>
#include <flux/detail/features/channel_hub.ipp>
#include <flux/detail/features/channel_lanes.ipp>
#include <flux/detail/features/channel_listener.ipp>
#include <flux/detail/features/channel_name.ipp>
#include <flux/detail/features/channel_payloads.ipp>
#include <flux/detail/features/channel_presence.ipp>
#include <flux/detail/features/channel_requests.ipp>
#include <flux/detail/features/channel_settings.ipp>
#include <flux/detail/features/channel_subscriber.ipp>
#include <flux/detail/features/channel_table.ipp>
#include <flux/detail/server/channels.ipp>
