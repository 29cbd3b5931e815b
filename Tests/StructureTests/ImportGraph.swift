import Foundation
import TestSupport

/// Which target imports which, as `packaging/import-graph` reads it from `Package.swift` and from the
/// files.
struct ImportGraph: Decodable {
    struct Target: Decodable {
        /// `regular`, `executable`, `test` or `system`, as the package manager calls it.
        var kind: String
        /// Where its files are, if not where they usually are.
        var path: String?
        /// As declared, products of other packages included.
        var dependencies: Set<String>
        /// The files that import a module, by the module.
        var imports: [String: [String]]

        /// Whether it is a part of the programs.
        var isOurs: Bool { kind != "test" && path?.hasPrefix("Tests/") != true }
    }

    let targets: [String: Target]

    init(targets: [String: Target]) { self.targets = targets }

    init(from decoder: any Decoder) throws {
        targets = try decoder.singleValueContainer().decode([String: Target].self)
    }

    /// Of this package, as it is on the disk.
    static func read() throws -> ImportGraph {
        let root = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let command = root.appending(path: "packaging/import-graph").path
        let output = try ChildProcess.run([command, "--json"], timeout: .seconds(300))
            .requireSuccess().standardOutput
        return try JSONDecoder().decode(ImportGraph.self, from: Data(output.utf8))
    }

    /// Everything that a target imports, by way of others too.
    func reached(from target: String) -> Set<String> {
        var reached: Set<String> = []
        var left = [target]
        while let next = left.popLast() {
            guard let imports = targets[next]?.imports.keys else { continue }
            for module in imports where reached.insert(module).inserted { left.append(module) }
        }
        return reached
    }

    /// The faults of a package of ours, in words; empty where it is as it should be.
    var faults: [String] {
        undeclared + missingArrows + turnedArrows + cycles + impurities
            + strayBorders
    }
}

// MARK: - What must hold

extension ImportGraph {
    /// Each may import those before it and, beside them, pure targets that are about no firewall.
    private static let order: [Set<String>] = [
        ["PortModel"], ["Site"], ["Policy"], ["Ruleset"], ["Reports"],
        ["Display", "Drawing", "Auditing"],
    ]

    /// From what is imported to what imports it.
    private static let arrows = [
        ("PortModel", "Site"), ("Site", "Policy"), ("Policy", "Ruleset"), ("Ruleset", "Reports"),
        ("Reports", "Display"), ("Ruleset", "Drawing"), ("Display", "Auditing"),
        ("Site", "Configuration"), ("Netlink", "Nftables"), ("Nftables", "Agent"),
    ]

    /// Functions of values.
    private static let pure: Set<String> = [
        "PlainText", "JSONValue", "Metrics", "PortModel", "Site", "Policy", "Ruleset", "Reports",
        "Display", "Drawing", "Auditing", "Authoring",
    ]

    /// What of the C library is a function of values, too, and has no equal in Swift: how an address
    /// is written (inet_pton(3)), and the calendar (gmtime_r(3)).
    private static let calculations = [
        "Sources/PortModel/Addresses.swift", "Sources/Reports/Timestamp.swift",
    ]

    /// The only target that imports a library.
    private static let borders = [
        "CYaml": "Configuration", "CMnl": "Netlink", "CNftables": "Nftables", "CMd": "Enforcement",
        "CLinux": "LinuxSystem",
    ]

    private var ours: [(name: String, target: Target)] {
        targets.filter(\.value.isOurs).map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
    }

    /// What is imported is declared, and of the programs' targets what is declared imported, so that
    /// `Package.swift` says what is linked.
    private var undeclared: [String] {
        // Products of other packages are called as their modules.
        let known = Set(targets.values.flatMap(\.dependencies)).union(targets.keys)
        return targets.sorted { $0.key < $1.key }.flatMap { name, target -> [String] in
            let imported = Set(target.imports.keys).intersection(known).subtracting([name])
            let missing = imported.subtracting(target.dependencies)
            let idle = target.isOurs ? target.dependencies.subtracting(imported) : []
            return missing.sorted().map { "\(name) imports \($0) undeclared" }
                + idle.sorted().map { "\(name) declares \($0) and imports it nowhere" }
        }
    }

    private var missingArrows: [String] {
        Self.arrows.filter { targets[$1]?.imports[$0] == nil }
            .map { "\($1) does not import \($0)" }
    }

    private var turnedArrows: [String] {
        Self.order.enumerated().flatMap { place, names -> [String] in
            let later = Self.order[(place + 1)...].reduce(into: Set<String>()) { $0.formUnion($1) }
            return names.sorted().flatMap { name in
                reached(from: name).intersection(later).sorted().map { "\(name) reaches \($0)" }
            }
        }
            + (reached(from: "Netlink").contains("Nftables") ? ["Netlink reaches Nftables"] : [])
    }

    private var cycles: [String] {
        targets.keys.sorted().filter { reached(from: $0).contains($0) }
            .map { "\($0) reaches itself" }
    }

    /// What pure targets reach that is not pure.
    private var impurities: [String] {
        Self.pure.sorted().flatMap { name -> [String] in
            guard let target = targets[name] else { return ["there is no target \(name)"] }
            return target.imports.sorted { $0.key < $1.key }.flatMap { module, files in
                Self.pure.contains(module)
                    ? []
                    : files.filter { module != "Glibc" || !Self.calculations.contains($0) }
                        .map { "\($0), which is pure, imports \(module)" }
            }
        }
    }

    private var strayBorders: [String] {
        Self.borders.sorted { $0.key < $1.key }.flatMap { library, owner in
            let users = ours.filter { $0.target.imports[library] != nil }.map(\.name)
            return users == [owner] ? [] : ["\(library) is imported by \(users), not by \(owner)"]
        }
    }
}
