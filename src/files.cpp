// The compiled mode's translation unit of files: the disk store and its index.
#include <flux/impl/storage/disk_file_store.ipp>
#include <flux/impl/storage/file_index_log.ipp>
#include <flux/impl/storage/file_row.ipp>
#include <flux/impl/storage/file_usage.ipp>
#include <flux/impl/storage/raw_file.ipp>
