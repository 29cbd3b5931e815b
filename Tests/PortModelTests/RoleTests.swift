import PortModel
import Testing

@Suite("Roles")
struct RoleTests {
    @Test(
        "a role's name can be part of ids and of names in the kernel",
        arguments: [
            ("management", true), ("a", true), ("proxying-edge", true), ("edge2", true),
            (String(repeating: "a", count: 32), true), (String(repeating: "a", count: 33), false),
            ("", false), ("2edge", false), ("-edge", false), ("Edge", false), ("edge node", false),
            ("edge.in", false), ("edge_1", false), ("édge", false), ("edge\n", false),
        ])
    func names(text: String, isName: Bool) {
        #expect(NodeRole(rawValue: text)?.rawValue == (isName ? text : nil))
    }

    @Test("a profile's roles are those of its rows, each once")
    func rolesOfRows() {
        for profile in Profile.all {
            #expect(Set(profile.roleNames).count == profile.roles.count)
            #expect(Set(profile.rows.map(\.role)) == Set(profile.roleNames))
            for row in profile.rows {
                guard case .nodes(let roles) = row.peer else { continue }
                #expect(Set(roles).isSubset(of: profile.roleNames), "\(row.id)")
            }
        }
    }

    @Test("the documentation's roles, by name")
    func documented() throws {
        let profile = Profile.infinity14
        #expect(profile.roleNames.map(\.rawValue) == ["management", "conferencing"])
        let management = try #require(profile.role(named: "management"))
        let conferencing = try #require(profile.role(named: "conferencing"))
        #expect(management.title == "Management Node")
        #expect(!management.mayBeDualHomed)
        #expect(!profile.carriesCalls(management.name))
        #expect(conferencing.title == "Conferencing Node")
        #expect(conferencing.mayBeDualHomed)
        #expect(profile.carriesCalls(conferencing.name))
        #expect(profile.role(named: "edge") == nil)
    }
}
