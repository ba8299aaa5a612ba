// The compiled mode's translation unit of revocations in a file. Programs without such a file don't link it.
#include <flux/detail/storage/file_revocation_store.ipp>
