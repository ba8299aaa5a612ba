# Chat, rooms, the file index and API keys in databases: flux::sqlite, flux::postgres, flux::mysql. Compiled in every mode.

find_package(SQLite3 3.35 QUIET)
find_package(PostgreSQL QUIET)
find_package(MariaDBClient 3.3 MODULE QUIET)
set(flux_found_postgres OFF)
set(flux_found_mysql OFF)
if(UNIX AND PostgreSQL_FOUND)
  set(flux_found_postgres ON)
endif()
if(UNIX AND MariaDBClient_FOUND)
  set(flux_found_mysql ON)
endif()
option(FLUX_WITH_SQLITE "flux::sqlite: stores in SQLite 3.35 or newer" ${SQLite3_FOUND})
option(FLUX_WITH_POSTGRES "flux::postgres: stores in PostgreSQL, with libpq" ${flux_found_postgres})
option(FLUX_WITH_MYSQL "flux::mysql: stores in MySQL or MariaDB, with MariaDB's client library" ${flux_found_mysql})

set(flux_sql_targets)

# flux_add_store(name sources... LINK libraries...)
function(flux_add_store name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  list(TRANSFORM arg_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/src/sql/")
  add_library(flux_${name} ${arg_SOURCES})
  add_library(flux::${name} ALIAS flux_${name})
  target_compile_features(flux_${name} PUBLIC cxx_std_20)
  target_include_directories(
    flux_${name} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                        "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(flux_${name} ${arg_LINK})
  if(NOT name STREQUAL "sql")  # which is part of the others
    string(TOUPPER "FLUX_WITH_${name}" macro)
    target_compile_definitions(flux_${name} INTERFACE ${macro}=1)
  endif()
  set_target_properties(
    flux_${name}
    PROPERTIES EXPORT_NAME ${name}
               CXX_EXTENSIONS OFF
               POSITION_INDEPENDENT_CODE ON
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
               WINDOWS_EXPORT_ALL_SYMBOLS ON)
  if(NOT flux_is_top_level AND NOT FLUX_INSTALL)  # built where they are linked
    set_target_properties(flux_${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  if(flux_is_top_level)
    flux_set_warnings(flux_${name})
    flux_set_clang_tidy(flux_${name})
  endif()
  set(flux_sql_targets ${flux_sql_targets} flux_${name} PARENT_SCOPE)
endfunction()

if(FLUX_WITH_SQLITE OR FLUX_WITH_POSTGRES OR FLUX_WITH_MYSQL)
  # Shared by the databases.
  flux_add_store(
    sql SOURCES channel_tables.cpp chat.cpp chat_schema.cpp connection.cpp connection_pool.cpp database.cpp dialect.cpp
                file_table.cpp key_table.cpp numbered_rows.cpp revocation_table.cpp room_tables.cpp row_table.cpp schema.cpp
                stores.cpp
        LINK PRIVATE Threads::Threads)
endif()
if(FLUX_WITH_SQLITE)
  find_package(SQLite3 3.35 REQUIRED)
  flux_add_store(sqlite SOURCES sqlite_connection.cpp sqlite_database.cpp
                 LINK PUBLIC flux_sql PRIVATE SQLite::SQLite3)
endif()
if(FLUX_WITH_POSTGRES)
  find_package(PostgreSQL REQUIRED)
  flux_add_store(postgres SOURCES postgres_connection.cpp postgres_database.cpp
                 LINK PUBLIC flux_sql PRIVATE PostgreSQL::PostgreSQL)
endif()
if(FLUX_WITH_MYSQL)
  find_package(MariaDBClient 3.3 MODULE REQUIRED)
  flux_add_store(mysql SOURCES call_guard.cpp mysql_connection.cpp mysql_database.cpp mysql_dialect.cpp mysql_parameters.cpp
                 LINK PUBLIC flux_sql PRIVATE MariaDBClient::MariaDBClient Threads::Threads)
endif()
