import KernelFake
import Ruleset
import Testing

@testable import Enforcement
@testable import Reports

/// Whatever is only true of the rules in force goes with them.
@Suite struct DesiredRulesTests {
    private static let goingOn = Revocation(ended: 1, problem: "one goes on")

    private static func holding(_ number: Int) throws -> DesiredRules {
        var desired = DesiredRules(adoption: AdoptionPeriod(isAllowed: true))
        desired.hold(try generation(number))
        return desired
    }

    @Test func tablesAreThoseOfTheGenerationInForce() throws {
        let (first, second) = (try generation(1), try generation(2, 2))
        var desired = try Self.holding(1)
        #expect(desired.stamped == nil)
        #expect(desired.tables(inForce: first) == first.stamped)
        #expect(desired.stamped == first.stamped)
        desired.hold(second)
        #expect(desired.stamped == nil)
        #expect(desired.tables(inForce: second) == second.stamped)
        desired.hold(first, as: first.stamped)
        #expect(desired.stamped == first.stamped)
    }

    @Test func tablesAreOthersWhileTheyAdopt() throws {
        let first = try generation(1)
        var desired = try Self.holding(1)
        #expect(desired.tables(inForce: first) == first.stamped)
        #expect(desired.considerAdoption(for: first, in: [], at: .seconds(100)) == true)
        #expect(desired.adoption.left(at: .seconds(101)) == .seconds(Ruleset.adoptionTime - 1))
        #expect(desired.tables(inForce: first) == first.stamped.adopting)
        desired.endAdoption()
        #expect(desired.tables(inForce: first) == first.stamped)
    }

    @Test func rulesThatMayNotAdoptNeverDo() throws {
        let first = try generation(1)
        var desired = DesiredRules(adoption: AdoptionPeriod(isAllowed: false))
        #expect(desired.considerAdoption(for: first, in: [], at: .zero) == false)
        #expect(desired.tables(of: first) == first.stamped)
    }

    @Test func flowsAreThoseOfTheGenerationInForce() throws {
        var desired = try Self.holding(1)
        desired.looked(forFlowsOf: 1, Self.goingOn)
        #expect(desired.revocation == Self.goingOn)
        // Another reading of the same generation.
        desired.hold(try generation(1))
        #expect(desired.revocation == Self.goingOn)
        desired.hold(try generation(2, 2))
        #expect(desired.revocation == Revocation())
        // A search that ends late.
        desired.looked(forFlowsOf: 1, Self.goingOn)
        #expect(desired.revocation == Revocation())
        desired.looked(forFlowsOf: 2, Revocation(ended: 1, isSuperseded: true))
        #expect(desired.revocation == Revocation())
    }
}
