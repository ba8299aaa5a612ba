# Finds MariaDB's client library (MariaDB Connector/C): through the package files of Conan or vcpkg, which list its
# dependencies; otherwise through its headers and library, because Debian has no such file.
#
# Target MariaDBClient::MariaDBClient; variables MariaDBClient_FOUND, MariaDBClient_VERSION; without a package file also
# MariaDBClient_INCLUDE_DIR, MariaDBClient_LIBRARY (may be set by the user).
include(FindPackageHandleStandardArgs)

find_package(mariadb-connector-c CONFIG QUIET)    # Conan's
find_package(unofficial-libmariadb CONFIG QUIET)  # vcpkg's
foreach(_mariadb_target IN ITEMS mariadb-connector-c::mariadb-connector-c unofficial::libmariadb)
  if(TARGET ${_mariadb_target})
    set(MariaDBClient_TARGET ${_mariadb_target})
    set(MariaDBClient_VERSION "${mariadb-connector-c_VERSION}${unofficial-libmariadb_VERSION}")
    find_package_handle_standard_args(MariaDBClient REQUIRED_VARS MariaDBClient_TARGET VERSION_VAR MariaDBClient_VERSION)
    if(NOT TARGET MariaDBClient::MariaDBClient)
      add_library(MariaDBClient::MariaDBClient INTERFACE IMPORTED)
      set_target_properties(MariaDBClient::MariaDBClient PROPERTIES INTERFACE_LINK_LIBRARIES ${_mariadb_target})
    endif()
    return()
  endif()
endforeach()

find_path(MariaDBClient_INCLUDE_DIR NAMES mariadb_version.h PATH_SUFFIXES mariadb mysql DOC "The folder that holds mysql.h")
find_library(MariaDBClient_LIBRARY NAMES mariadb DOC "MariaDB's client library")
mark_as_advanced(MariaDBClient_INCLUDE_DIR MariaDBClient_LIBRARY)

if(EXISTS "${MariaDBClient_INCLUDE_DIR}/mariadb_version.h")
  # #define MARIADB_PACKAGE_VERSION "3.3.8"
  file(STRINGS "${MariaDBClient_INCLUDE_DIR}/mariadb_version.h" _mariadb_line REGEX "^#define MARIADB_PACKAGE_VERSION ")
  string(REGEX REPLACE ".*\"([0-9.]+)\".*" "\\1" MariaDBClient_VERSION "${_mariadb_line}")
endif()

find_package_handle_standard_args(
  MariaDBClient
  REQUIRED_VARS MariaDBClient_LIBRARY MariaDBClient_INCLUDE_DIR
  VERSION_VAR MariaDBClient_VERSION)

if(MariaDBClient_FOUND AND NOT TARGET MariaDBClient::MariaDBClient)
  add_library(MariaDBClient::MariaDBClient UNKNOWN IMPORTED)
  set_target_properties(
    MariaDBClient::MariaDBClient PROPERTIES IMPORTED_LOCATION "${MariaDBClient_LIBRARY}"
                                            INTERFACE_INCLUDE_DIRECTORIES "${MariaDBClient_INCLUDE_DIR}")
endif()
