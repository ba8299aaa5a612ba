# Makes flux_js.hpp, with the text of src/js/flux.js for the server that serves it.
#
#   flux_embed_client_script(SCRIPT HEADER)
#   cmake -DSCRIPT=… -DHEADER=… -P cmake/client_script.cmake
#
# The text is in parts, which end with a line: compilers need not accept a literal of more than 16,380 bytes.
if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  cmake_minimum_required(VERSION 3.22)
endif()

function(flux_embed_client_script script header)
  file(READ "${script}" rest)
  file(SHA256 "${script}" hash)
  if(rest MATCHES "\\)flux_js\"")
    message(FATAL_ERROR "${script} contains the end of a raw string literal, )flux_js\"")
  endif()
  set(bytes_max 12000)
  set(parts)
  while(NOT rest STREQUAL "")
    string(LENGTH "${rest}" size)
    set(part "${rest}")
    if(size GREATER bytes_max)
      string(SUBSTRING "${rest}" 0 ${bytes_max} part)
      string(FIND "${part}" "\n" size REVERSE)
      math(EXPR size "${size} + 1")
      if(size EQUAL 0)
        message(FATAL_ERROR "${script} has a line of more than ${bytes_max} bytes")
      endif()
      string(SUBSTRING "${rest}" 0 ${size} part)
    endif()
    string(SUBSTRING "${rest}" ${size} -1 rest)
    string(APPEND parts "    R\"flux_js(${part})flux_js\",\n")
  endwhile()
  string(
    CONCAT text
    "// Made of flux.js by client_script.cmake.\n#pragma once\n\n#include <string_view>\n\n"
    "namespace flux::endpoints {\n\n/// The text of flux.js, in parts.\ninline constexpr std::string_view flux_js_parts[] = {\n"
    "${parts}};\n\ninline constexpr std::string_view flux_js_sha256 =\n    \"${hash}\";\n\n}  // namespace flux::endpoints\n")
  file(CONFIGURE OUTPUT "${header}" CONTENT "@text@" @ONLY NEWLINE_STYLE UNIX)
endfunction()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  flux_embed_client_script("${SCRIPT}" "${HEADER}")
else()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/js/flux.js")
  set(flux_generated_dir "${PROJECT_BINARY_DIR}/generated")
  flux_embed_client_script("${PROJECT_SOURCE_DIR}/src/js/flux.js"
                           "${flux_generated_dir}/flux/detail/endpoints/flux_js.hpp")
endif()
