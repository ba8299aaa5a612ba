// The compiled mode's translation unit of API keys in a file. Programs without such a file don't link it.
#include <flux/detail/storage/file_key_store.ipp>
#include <flux/detail/storage/key_file.ipp>
