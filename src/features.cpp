// The compiled mode's translation unit of the features and of the wire protocols.
#include <flux/impl/features/chat_log.ipp>
#include <flux/impl/features/files.ipp>
#include <flux/impl/features/guarded_file_store.ipp>
#include <flux/impl/features/page.ipp>
#include <flux/impl/features/public_space.ipp>
#include <flux/impl/features/room.ipp>
#include <flux/impl/features/room_log.ipp>
#include <flux/impl/features/room_restore.ipp>
#include <flux/impl/features/rooms.ipp>
#include <flux/impl/features/store_faults.ipp>
#include <flux/impl/protocol/base64.ipp>
#include <flux/impl/protocol/engineio_codec.ipp>
#include <flux/impl/protocol/live_codec.ipp>
#include <flux/impl/protocol/socketio_codec.ipp>
