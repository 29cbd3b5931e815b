internal import Glibc

/// This process's environment.
package enum ProcessEnvironment {
    /// The value of a variable; nil where it is not set.
    package static func value(of name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Those of the variables that are set.
    static func values(of names: String...) -> [String: String] {
        Dictionary(
            uniqueKeysWithValues: names.compactMap { name in value(of: name).map { (name, $0) } })
    }
}
