// The compiled mode's translation unit of what every store of API keys uses, and the store in memory.
#include <flux/detail/storage/key_store.ipp>
