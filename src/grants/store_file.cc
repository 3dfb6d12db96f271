#include "grants/store_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "runtime/unique_fd.h"

namespace trunkline::grants {

namespace {

constexpr long cifs_magic = 0xff534d42;
constexpr long smb2_magic = 0xfe534d42;
constexpr long ceph_magic = 0x00c36400;
constexpr std::array<long, 8> network_file_systems = {NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC, AFS_SUPER_MAGIC,
                                                      CODA_SUPER_MAGIC, V9FS_MAGIC,      cifs_magic,
                                                      smb2_magic,       ceph_magic};

error wrong(const std::string& path, const std::string& what) {
  return {.message = "access.store: " + path + ": " + what};
}

}  // namespace

result<> prepare_store_file(const std::string& path) {
  const runtime::unique_fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) {
    const int code = errno;
    if (code == ELOOP) return fail(wrong(path, "is a symbolic link; name the file itself"));
    return fail(wrong(path, "cannot be opened: " + std::generic_category().message(code)));
  }
  struct stat about{};
  if (::fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode))
    return fail(wrong(path, "is not a regular file"));
  if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(wrong(path, "others may write to it, and whoever does grants access: chmod go-w"));
  if (about.st_uid != ::geteuid() && about.st_uid != 0)
    return fail(wrong(path, "belongs to somebody else than the gateway's user or root"));
  struct statfs where{};
  if (::fstatfs(file.get(), &where) != 0) return fail(wrong(path, "its file system cannot be asked"));
  const auto kind = static_cast<long>(where.f_type);
  if (std::find(network_file_systems.begin(), network_file_systems.end(), kind) != network_file_systems.end())
    return fail(wrong(path, "is on a network file system; it has to be on a disk of this machine"));
  return {};
}

}  // namespace trunkline::grants
