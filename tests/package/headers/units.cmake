# flux_header_units(VARIABLE INCLUDE_FOLDER FOLDER [WITH_DEFINITIONS]): a unit in FOLDER for every public header, which
# includes it and nothing else. Twice: it must guard itself. In the compiled mode only two headers may include the packages'
# headers. WITH_DEFINITIONS: only those that have some of their own, for the header-only mode.
function(flux_header_units variable include folder)
  file(GLOB_RECURSE headers RELATIVE "${include}" CONFIGURE_DEPENDS "${include}/flux/*.hpp")
  list(FILTER headers EXCLUDE REGEX "/detail/")
  if("WITH_DEFINITIONS" IN_LIST ARGN)
    list(FILTER headers EXCLUDE REGEX "_contract\\.hpp$")
  endif()
  if(NOT headers)
    message(FATAL_ERROR "no headers in ${include}/flux")
  endif()
  set(units)
  foreach(header IN LISTS headers)
    string(REPLACE "/" "_" name "${header}")
    set(text "#include <${header}>\n#include <${header}>\n")
    # None needs a test framework.
    string(APPEND text "#if defined(CATCH_VERSION_MAJOR)\n#error \"${header} includes Catch2\"\n#endif\n")
    if(NOT header MATCHES "^flux/(asio|rapidjson)\\.hpp$")
      string(APPEND text
             "#if !defined(FLUX_HEADER_ONLY) && \\\n"
             "    (defined(ASIO_VERSION) || defined(WEBSOCKETPP_COMMON_HPP) || defined(RAPIDJSON_RAPIDJSON_H_) || \\\n"
             "     defined(WEBSOCKETPP_PROCESSOR_HYBI13_HPP))\n"
             "#error \"${header} includes Asio, websocketpp or RapidJSON\"\n"
             "#endif\n")
    endif()
    file(CONFIGURE OUTPUT "${folder}/${name}.cpp" CONTENT "${text}" @ONLY)
    list(APPEND units "${folder}/${name}.cpp")
  endforeach()
  set(${variable} "${units}" PARENT_SCOPE)
endfunction()
