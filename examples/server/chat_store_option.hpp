#pragma once

#include <flux/storage/chat_store.hpp>

#include <memory>
#include <string>

/// The store that `--chat` names: "memory", "sqlite:PATH", "postgres:URL" or "mysql:URL". Errors: throws
/// std::invalid_argument where it names none that this program was built with, flux::Error where it can't be opened.
std::shared_ptr<flux::ChatStore> make_chat_store(const std::string& spec);
