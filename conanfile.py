import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir


class FluxConan(ConanFile):
    name = "flux"
    description = "An embeddable real-time backend: rooms, presence, events and chat over WebSocket and HTTP on one port"
    license = "MIT"
    topics = ("websocket", "realtime", "presence", "chat", "server")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "header_only": [True, False],
        "tls": [True, False],
        "sqlite": [True, False],
        "postgres": [True, False],
        "mysql": [True, False],
    }
    default_options = {
        "shared": False,
        "fPIC": True,
        "header_only": False,
        "tls": True,
        "sqlite": False,
        "postgres": False,
        "mysql": False,
    }
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*"

    def set_version(self):
        mode = load(self, os.path.join(self.recipe_folder, "include", "flux", "detail", "mode.hpp"))
        self.version = re.search(r'FLUX_VERSION_STRING "(.+)"', mode).group(1)

    def config_options(self):
        if self.settings.os == "Windows":
            self.options.rm_safe("fPIC")

    def configure(self):
        if self.options.header_only:
            self.options.rm_safe("shared")
            self.options.rm_safe("fPIC")
        elif self.options.shared:
            self.options.rm_safe("fPIC")

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        # Headers, which users of flux/asio.hpp, flux/rapidjson.hpp and the header-only mode include.
        self.requires("asio/[>=1.22 <2]", transitive_headers=True)
        self.requires("rapidjson/cci.20230929", transitive_headers=True)
        # Only its codec is used, which needs none of these.
        codec = {"asio": False, "with_openssl": False, "with_zlib": False}
        self.requires("websocketpp/0.8.2", options=codec, transitive_headers=True)
        self.requires("zlib/[>=1.2.11 <2]", transitive_headers=True)
        if self.options.tls:
            self.requires("openssl/[>=1.1.1 <4]", transitive_headers=True)
        if self.options.sqlite:
            self.requires("sqlite3/[>=3.35 <4]")
        if self.options.postgres:
            self.requires("libpq/[>=13 <18]")
        if self.options.mysql:
            self.requires("mariadb-connector-c/[>=3.3 <4]")

    def validate(self):
        check_min_cppstd(self, 20)
        stores = self.options.sqlite or self.options.postgres or self.options.mysql
        if self.options.header_only and stores:
            raise ConanInvalidConfiguration("the stores in databases are compiled; leave header_only off for them")

    def package_id(self):
        if self.info.options.header_only:
            self.info.settings.clear()

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["FLUX_WITH_TLS"] = bool(self.options.tls)
        for store in ("sqlite", "postgres", "mysql"):
            toolchain.cache_variables[f"FLUX_WITH_{store.upper()}"] = bool(self.options.get_safe(store))
        toolchain.cache_variables["FLUX_BUILD_TESTS"] = False
        toolchain.cache_variables["FLUX_BUILD_EXAMPLES"] = False
        toolchain.generate()

    def build(self):
        if not self.options.header_only:
            cmake = CMake(self)
            cmake.configure()
            cmake.build()

    def package(self):
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        if self.options.header_only:
            include = os.path.join(self.source_folder, "include")
            copy(self, "*", src=include, dst=os.path.join(self.package_folder, "include"))
            script = os.path.join(self.source_folder, "src", "js", "flux.js")
            header = os.path.join(self.package_folder, "include", "flux", "detail", "endpoints", "flux_js.hpp")
            make = os.path.join(self.source_folder, "cmake", "client_script.cmake")
            self.run(f'cmake "-DSCRIPT={script}" "-DHEADER={header}" -P "{make}"')
        else:
            CMake(self).install()
            # CMakeDeps writes the package's CMake files for the user.
            rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
            rmdir(self, os.path.join(self.package_folder, "share"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "flux")
        tls = "1" if self.options.tls else "0"
        packages = ["asio::asio", "rapidjson::rapidjson", "websocketpp::websocketpp", "zlib::zlib"]
        if self.options.tls:
            packages.append("openssl::ssl")
        if self.options.header_only:
            main = self.cpp_info.components["header_only"]
            main.set_property("cmake_target_name", "flux::header_only")
            main.bindirs = []
            main.libdirs = []
            main.defines = ["FLUX_HEADER_ONLY", f"FLUX_WITH_TLS={tls}"]
        else:
            main = self.cpp_info.components["flux"]
            main.set_property("cmake_target_name", "flux::flux")
            main.set_property("cmake_target_aliases", ["flux::asio", "flux::rapidjson"])
            main.libs = ["flux"]
            main.defines = [f"FLUX_WITH_TLS={tls}"]
        main.requires = packages
        if self.settings.get_safe("os") in ("Linux", "FreeBSD"):
            main.system_libs = ["pthread"]
        self._package_stores()

    def _package_stores(self):
        """Each is a component, and requires the part that they share."""
        stores = {
            "sqlite": ["sqlite3::sqlite3"],
            "postgres": ["libpq::libpq"],
            "mysql": ["mariadb-connector-c::mariadb-connector-c"],
        }
        for store, packages in stores.items():
            if not self.options.get_safe(store):
                continue
            self.cpp_info.components["sql"].libs = ["flux_sql"]
            component = self.cpp_info.components[store]
            component.set_property("cmake_target_name", f"flux::{store}")
            component.libs = [f"flux_{store}"]
            component.defines = [f"FLUX_WITH_{store.upper()}=1"]
            component.requires = ["sql", *packages]
