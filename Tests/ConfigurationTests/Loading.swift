import Configuration
import Site

/// Parses one text as the file `a.yaml`.
func load(_ text: String) -> LoadedConfiguration {
    LoadedConfiguration(parsing: [ConfigurationSource(path: "a.yaml", text: text)])
}

/// Parses texts as the files `1.yaml`, `2.yaml` and so on.
func load(files texts: String...) -> LoadedConfiguration {
    LoadedConfiguration(
        parsing: texts.enumerated().map {
            ConfigurationSource(path: "\($0.offset + 1).yaml", text: $0.element)
        })
}

/// A node for texts that are about something else.
let node = "nodes: {a: {role: conferencing, address: 10.0.0.1}}\n"
