# websocketpp 0.8.2, headers only and unpatched: flux uses its codec, which needs no patches for its transport.
vcpkg_from_github(
  OUT_SOURCE_PATH source
  REPO zaphoyd/websocketpp
  REF 56123c87598f8b1dd471be83ca841ceae07f95ba
  SHA512 f185a66e5a7c783254352a6ef87e2e559f681032b7368765d08393ed12bcae76825abed7dcaea73de09df644320409dad46279701f5f469520542a2c9b6a6163
  HEAD_REF master)

file(COPY "${source}/websocketpp" DESTINATION "${CURRENT_PACKAGES_DIR}/include" FILES_MATCHING PATTERN "*.hpp")
vcpkg_install_copyright(FILE_LIST "${source}/COPYING")
