// The compiled mode's translation unit of files on disk, and the journal in one. Programs that store nothing on disk
// don't link it.
#include <flux/detail/storage/file_system.ipp>
#include <flux/detail/storage/journal.ipp>
#include <flux/detail/storage/raw_file.ipp>
