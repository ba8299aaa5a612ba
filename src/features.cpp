// The compiled mode's translation unit of the features and of the wire protocols.
#include <flux/detail/core/base64.ipp>
#include <flux/detail/endpoints/live/live_codec.ipp>
#include <flux/detail/endpoints/socketio/engineio_codec.ipp>
#include <flux/detail/endpoints/socketio/socketio_codec.ipp>
#include <flux/detail/features/chat_log.ipp>
#include <flux/detail/features/files.ipp>
#include <flux/detail/features/guarded_file_store.ipp>
#include <flux/detail/features/page.ipp>
#include <flux/detail/features/participant.ipp>
#include <flux/detail/features/presence_board.ipp>
#include <flux/detail/features/public_space.ipp>
#include <flux/detail/features/room.ipp>
#include <flux/detail/features/room_log.ipp>
#include <flux/detail/features/room_restore.ipp>
#include <flux/detail/features/rooms.ipp>
#include <flux/detail/features/store_faults.ipp>
#include <flux/detail/features/unfinished_uploads.ipp>
