# Finds the client library of MariaDB or MySQL.
#
# Target MySQLClient::MySQLClient; variables MySQLClient_FOUND, MySQLClient_INCLUDE_DIR, MySQLClient_LIBRARY (may be set by
# the user).
find_path(MySQLClient_INCLUDE_DIR NAMES mysql.h PATH_SUFFIXES mariadb mysql DOC "The folder that holds mysql.h")
find_library(MySQLClient_LIBRARY NAMES mariadb mysqlclient DOC "The client library of MariaDB or MySQL")
mark_as_advanced(MySQLClient_INCLUDE_DIR MySQLClient_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MySQLClient REQUIRED_VARS MySQLClient_LIBRARY MySQLClient_INCLUDE_DIR)

if(MySQLClient_FOUND AND NOT TARGET MySQLClient::MySQLClient)
  add_library(MySQLClient::MySQLClient UNKNOWN IMPORTED)
  set_target_properties(
    MySQLClient::MySQLClient PROPERTIES IMPORTED_LOCATION "${MySQLClient_LIBRARY}"
                                        INTERFACE_INCLUDE_DIRECTORIES "${MySQLClient_INCLUDE_DIR}")
endif()
