// The compiled mode's translation unit of storage: the journal, the disk store and its index, chat in memory.
#include <flux/detail/storage/disk_file_store.ipp>
#include <flux/detail/storage/disk_files.ipp>
#include <flux/detail/storage/file_index_log.ipp>
#include <flux/detail/storage/file_row.ipp>
#include <flux/detail/storage/file_system.ipp>
#include <flux/detail/storage/file_usage.ipp>
#include <flux/detail/storage/journal.ipp>
#include <flux/detail/storage/memory_chat_store.ipp>
#include <flux/detail/storage/raw_file.ipp>
