internal import CLinux
internal import Glibc
internal import SystemPackage

/// The threads and processes that a program needs, which the system may not let it have.
package enum ThreadNeed {
    /// Why there are not enough, and what to do.
    package struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// The reason in words for people.
        package let description: String
    }

    /// Makes sure that so many threads can run beside this one. To be called before anything is given
    /// to libdispatch: where that gets no thread, it tries again once a second, for ever, and does
    /// not say a word.
    ///
    /// They are started and ended again. Somebody may take their place before they are needed; then
    /// they are waited for.
    ///
    /// - Throws: ``Failure`` where there can be fewer.
    package static func require(_ count: Int) throws(Failure) {
        let error = clinux_try_threads(Int32(count))
        if error == 0 { return }
        throw Failure(
            description:
                "can't start \(count) threads, of which each may be needed: \(Errno(rawValue: error)): raise TasksMax= of the unit or pids.max of the container, ulimit -u (\(limit(of: __RLIMIT_NPROC) ?? "unlimited")), or ulimit -v (\(limit(of: RLIMIT_AS, in: 1_024) ?? "unlimited")), whichever is too low"
        )
    }

    /// nil where there is none.
    ///
    /// - Parameter unit: that of the shell's `ulimit`, in bytes.
    private static func limit(of resource: __rlimit_resource, in unit: UInt = 1) -> String? {
        var limit = rlimit()
        // Fails for resources that there are not only.
        guard getrlimit(Int32(resource.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max
        else { return nil }
        return "\(limit.rlim_cur / unit)"
    }
}
