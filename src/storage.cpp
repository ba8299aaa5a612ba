// The compiled mode's translation unit of the disk store of files, and its index. Programs without such a store don't
// link it.
#include <flux/detail/storage/disk_file_store.ipp>
#include <flux/detail/storage/disk_files.ipp>
#include <flux/detail/storage/file_index_log.ipp>
#include <flux/detail/storage/file_row.ipp>
#include <flux/detail/storage/file_usage.ipp>
