// The compiled mode's translation unit of data sharing over Socket.IO. Programs that don't use it don't link it.
#include <flux/detail/endpoints/sharing/sharing.ipp>
#include <flux/detail/endpoints/sharing/sharing_codec.ipp>
#include <flux/detail/endpoints/sharing/sharing_requests.ipp>
#include <flux/detail/endpoints/sharing/sharing_session.ipp>
