#include "chat_store_option.hpp"

#include <flux/storage/memory_chat_store.hpp>

#include <stdexcept>

#if defined(FLUX_WITH_SQLITE)
#include <flux/storage/sqlite_chat_store.hpp>
#endif
#if defined(FLUX_WITH_POSTGRES)
#include <flux/storage/postgres_chat_store.hpp>
#endif
#if defined(FLUX_WITH_MYSQL)
#include <flux/storage/mysql_chat_store.hpp>
#endif

std::shared_ptr<flux::ChatStore> make_chat_store(const std::string& spec) {
  const std::string kind = spec.substr(0, spec.find(':'));
  [[maybe_unused]] const std::string where = kind == spec ? std::string() : spec.substr(kind.size() + 1);
  if (spec == "memory") return std::make_shared<flux::MemoryChatStore>();
#if defined(FLUX_WITH_SQLITE)
  if (kind == "sqlite") return std::make_shared<flux::SqliteChatStore>(where);
#endif
#if defined(FLUX_WITH_POSTGRES)
  if (kind == "postgres") return std::make_shared<flux::PostgresChatStore>(where);
  if (kind == "postgresql") return std::make_shared<flux::PostgresChatStore>(spec);
#endif
#if defined(FLUX_WITH_MYSQL)
  if (kind == "mysql") return std::make_shared<flux::MysqlChatStore>(where.starts_with("//") ? spec : where);
#endif
  throw std::invalid_argument(
      "--chat takes memory"
#if defined(FLUX_WITH_SQLITE)
      ", sqlite:PATH"
#endif
#if defined(FLUX_WITH_POSTGRES)
      ", postgres:URL"
#endif
#if defined(FLUX_WITH_MYSQL)
      ", mysql:URL"
#endif
      ", as this program was built, not \"" +
      spec + "\"");
}
