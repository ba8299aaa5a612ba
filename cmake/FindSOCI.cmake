# Finds SOCI 4: by a package file, its own or a package manager's, which knows what SOCI itself needs; else by its headers
# and libraries, as Debian has no such file.
#
# Components: SOCI's backends, such as mysql. Targets SOCI::core, SOCI::<component>; variables SOCI_FOUND,
# SOCI_<component>_FOUND, SOCI_VERSION; without a package file also SOCI_INCLUDE_DIR and SOCI_<part>_LIBRARY (may be set by
# the user). The headers of a backend include those of its database's client library, which the user of the target has to
# find.
include(FindPackageHandleStandardArgs)

find_package(SOCI CONFIG QUIET)
if(SOCI_FOUND)
  set(_soci_name_core Core)  # as SOCI 4.1 calls them
  set(_soci_name_mysql MySQL)
  foreach(_soci_part IN ITEMS core ${SOCI_FIND_COMPONENTS})
    foreach(_soci_name IN ITEMS ${_soci_name_${_soci_part}} soci_${_soci_part} soci_${_soci_part}_static)
      if(TARGET SOCI::${_soci_name} AND NOT TARGET SOCI::${_soci_part})
        add_library(SOCI::${_soci_part} INTERFACE IMPORTED)
        set_target_properties(SOCI::${_soci_part} PROPERTIES INTERFACE_LINK_LIBRARIES SOCI::${_soci_name})
      endif()
    endforeach()
    if(TARGET SOCI::${_soci_part})
      set(SOCI_${_soci_part}_FOUND TRUE)
    else()
      set(SOCI_${_soci_part}_FOUND FALSE)
    endif()
  endforeach()
  find_package_handle_standard_args(SOCI REQUIRED_VARS SOCI_CONFIG VERSION_VAR SOCI_VERSION HANDLE_COMPONENTS)
  return()
endif()

find_path(SOCI_INCLUDE_DIR NAMES soci/soci.h DOC "The folder that holds soci/")
find_library(SOCI_core_LIBRARY NAMES soci_core DOC "SOCI's core")
mark_as_advanced(SOCI_INCLUDE_DIR SOCI_core_LIBRARY)

if(EXISTS "${SOCI_INCLUDE_DIR}/soci/version.h")
  # #define SOCI_LIB_VERSION "4_0_3"
  file(STRINGS "${SOCI_INCLUDE_DIR}/soci/version.h" _soci_line REGEX "^#define SOCI_LIB_VERSION \"")
  string(REGEX REPLACE ".*\"([0-9]+)_([0-9]+)_([0-9]+)\".*" "\\1.\\2.\\3" SOCI_VERSION "${_soci_line}")
endif()

foreach(_soci_part IN LISTS SOCI_FIND_COMPONENTS)
  find_library(SOCI_${_soci_part}_LIBRARY NAMES soci_${_soci_part} DOC "SOCI's backend for ${_soci_part}")
  mark_as_advanced(SOCI_${_soci_part}_LIBRARY)
  if(SOCI_${_soci_part}_LIBRARY AND EXISTS "${SOCI_INCLUDE_DIR}/soci/${_soci_part}/soci-${_soci_part}.h")
    set(SOCI_${_soci_part}_FOUND TRUE)
  else()
    set(SOCI_${_soci_part}_FOUND FALSE)
  endif()
endforeach()

find_package_handle_standard_args(
  SOCI
  REQUIRED_VARS SOCI_core_LIBRARY SOCI_INCLUDE_DIR
  VERSION_VAR SOCI_VERSION
  HANDLE_COMPONENTS)

if(SOCI_core_LIBRARY AND SOCI_INCLUDE_DIR)
  foreach(_soci_part IN ITEMS core ${SOCI_FIND_COMPONENTS})
    if(TARGET SOCI::${_soci_part} OR NOT SOCI_${_soci_part}_LIBRARY)
      continue()
    endif()
    add_library(SOCI::${_soci_part} UNKNOWN IMPORTED)
    set_target_properties(
      SOCI::${_soci_part} PROPERTIES IMPORTED_LOCATION "${SOCI_${_soci_part}_LIBRARY}"
                                     INTERFACE_INCLUDE_DIRECTORIES "${SOCI_INCLUDE_DIR}")
    if(NOT _soci_part STREQUAL "core")
      set_target_properties(SOCI::${_soci_part} PROPERTIES INTERFACE_LINK_LIBRARIES SOCI::core)
    endif()
  endforeach()
  if(NOT CMAKE_DL_LIBS STREQUAL "")
    set_target_properties(SOCI::core PROPERTIES INTERFACE_LINK_LIBRARIES "${CMAKE_DL_LIBS}")
  endif()
endif()
