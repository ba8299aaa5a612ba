// The compiled mode's translation unit of files over HTTP: links, whole uploads and downloads, tus.
#include <flux/detail/endpoints/files/file_call.ipp>
#include <flux/detail/endpoints/files/file_download.ipp>
#include <flux/detail/endpoints/files/file_routes.ipp>
#include <flux/detail/endpoints/files/file_upload.ipp>
#include <flux/detail/endpoints/files/tus.ipp>
#include <flux/detail/endpoints/files/tus_request.ipp>
#include <flux/detail/endpoints/files/upload_progress.ipp>
#include <flux/detail/endpoints/files/upload_request.ipp>
#include <flux/detail/endpoints/files/upload_turns.ipp>
#include <flux/detail/features/file_share.ipp>
#include <flux/detail/gate/file_link.ipp>
#include <flux/detail/gate/upload_ticket.ipp>
