# Finds websocketpp 0.8, which is header-only. flux uses only its codec, so its Asio transport needs nothing.
#
# Target Websocketpp::Websocketpp; variables Websocketpp_FOUND, Websocketpp_VERSION, Websocketpp_INCLUDE_DIR (may be set
# by the user).
find_path(Websocketpp_INCLUDE_DIR NAMES websocketpp/processors/hybi13.hpp DOC "The folder that holds websocketpp/")
mark_as_advanced(Websocketpp_INCLUDE_DIR)

if(EXISTS "${Websocketpp_INCLUDE_DIR}/websocketpp/version.hpp")
  # static int const major_version = 0;
  set(_websocketpp_version)
  foreach(_websocketpp_part IN ITEMS major minor patch)
    file(STRINGS "${Websocketpp_INCLUDE_DIR}/websocketpp/version.hpp" _websocketpp_line
         REGEX "int const ${_websocketpp_part}_version = [0-9]+;")
    string(REGEX MATCH "[0-9]+" _websocketpp_number "${_websocketpp_line}")
    list(APPEND _websocketpp_version "${_websocketpp_number}")
  endforeach()
  list(JOIN _websocketpp_version "." Websocketpp_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Websocketpp REQUIRED_VARS Websocketpp_INCLUDE_DIR VERSION_VAR Websocketpp_VERSION)

if(Websocketpp_FOUND AND NOT TARGET Websocketpp::Websocketpp)
  add_library(Websocketpp::Websocketpp INTERFACE IMPORTED)
  set_target_properties(Websocketpp::Websocketpp PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Websocketpp_INCLUDE_DIR}")
endif()
