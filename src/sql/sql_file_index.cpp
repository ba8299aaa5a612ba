#include "file_table.hpp"

#include <utility>

namespace flux {

SqlFileIndex::SqlFileIndex(std::unique_ptr<storage::sql::FileTable> table) : table_(std::move(table)) {}
SqlFileIndex::~SqlFileIndex() = default;

Result<std::vector<FileInfo>> SqlFileIndex::load() { return table_->load(); }
Result<void> SqlFileIndex::save(const FileInfo& file) { return table_->save(file); }
Result<void> SqlFileIndex::erase(const FileId& id) { return table_->erase(id); }

}  // namespace flux
