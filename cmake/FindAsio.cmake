# Finds standalone Asio, which is header-only.
#
# Target Asio::Asio; variables Asio_FOUND, Asio_VERSION, Asio_INCLUDE_DIR (may be set by the user).
find_path(Asio_INCLUDE_DIR NAMES asio.hpp asio/version.hpp DOC "The folder that holds asio.hpp")
mark_as_advanced(Asio_INCLUDE_DIR)

if(EXISTS "${Asio_INCLUDE_DIR}/asio/version.hpp")
  # #define ASIO_VERSION 102201 // 1.22.1
  file(STRINGS "${Asio_INCLUDE_DIR}/asio/version.hpp" _asio_line REGEX "^#define ASIO_VERSION [0-9]+")
  string(REGEX REPLACE "^#define ASIO_VERSION ([0-9]+).*" "\\1" _asio_number "${_asio_line}")
  math(EXPR _asio_major "${_asio_number} / 100000")
  math(EXPR _asio_minor "${_asio_number} / 100 % 1000")
  math(EXPR _asio_patch "${_asio_number} % 100")
  set(Asio_VERSION "${_asio_major}.${_asio_minor}.${_asio_patch}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Asio REQUIRED_VARS Asio_INCLUDE_DIR VERSION_VAR Asio_VERSION)

if(Asio_FOUND AND NOT TARGET Asio::Asio)
  find_package(Threads REQUIRED)
  add_library(Asio::Asio INTERFACE IMPORTED)
  set_target_properties(
    Asio::Asio
    PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${Asio_INCLUDE_DIR}"
               INTERFACE_COMPILE_DEFINITIONS "ASIO_STANDALONE"
               INTERFACE_LINK_LIBRARIES "Threads::Threads")
  if(WIN32)
    set_property(TARGET Asio::Asio APPEND PROPERTY INTERFACE_LINK_LIBRARIES ws2_32 mswsock)
  endif()
endif()
