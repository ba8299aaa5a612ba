# Finds RapidJSON, which is header-only. Its own package file defines no target that all distributions share.
#
# Target RapidJSON::RapidJSON; variables RapidJSON_FOUND, RapidJSON_VERSION, RapidJSON_INCLUDE_DIR (may be set by the
# user).
find_path(RapidJSON_INCLUDE_DIR NAMES rapidjson/rapidjson.h DOC "The folder that holds rapidjson/")
mark_as_advanced(RapidJSON_INCLUDE_DIR)

if(EXISTS "${RapidJSON_INCLUDE_DIR}/rapidjson/rapidjson.h")
  # #define RAPIDJSON_MAJOR_VERSION 1
  set(_rapidjson_version)
  foreach(_rapidjson_part IN ITEMS MAJOR MINOR PATCH)
    file(STRINGS "${RapidJSON_INCLUDE_DIR}/rapidjson/rapidjson.h" _rapidjson_line
         REGEX "^#define RAPIDJSON_${_rapidjson_part}_VERSION [0-9]+")
    string(REGEX REPLACE ".* ([0-9]+).*" "\\1" _rapidjson_number "${_rapidjson_line}")
    list(APPEND _rapidjson_version "${_rapidjson_number}")
  endforeach()
  list(JOIN _rapidjson_version "." RapidJSON_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(RapidJSON REQUIRED_VARS RapidJSON_INCLUDE_DIR VERSION_VAR RapidJSON_VERSION)

if(RapidJSON_FOUND AND NOT TARGET RapidJSON::RapidJSON)
  add_library(RapidJSON::RapidJSON INTERFACE IMPORTED)
  set_target_properties(RapidJSON::RapidJSON PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${RapidJSON_INCLUDE_DIR}")
endif()
