// The compiled mode's translation unit of data sharing over Socket.IO.
#include <flux/impl/features/file_writer.ipp>
#include <flux/impl/protocol/sharing_codec.ipp>
#include <flux/impl/server/sharing_session.ipp>
#include <flux/impl/sharing.ipp>
