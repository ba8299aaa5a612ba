// The compiled mode's translation unit of files over HTTP: links, whole uploads and downloads, tus.
#include <flux/impl/gate/file_link.ipp>
#include <flux/impl/gate/upload_ticket.ipp>
#include <flux/impl/protocol/tus.ipp>
#include <flux/impl/server/file_call.ipp>
#include <flux/impl/server/file_download.ipp>
#include <flux/impl/server/file_routes.ipp>
#include <flux/impl/server/file_share.ipp>
#include <flux/impl/server/file_upload.ipp>
#include <flux/impl/server/tus_request.ipp>
#include <flux/impl/server/upload_progress.ipp>
#include <flux/impl/server/upload_request.ipp>
#include <flux/impl/server/upload_turns.ipp>
