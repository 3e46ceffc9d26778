find_package(xrun 0.99 REQUIRED)
