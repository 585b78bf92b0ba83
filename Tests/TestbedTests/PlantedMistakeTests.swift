import Domain
import SimCore
import Testbed
import Testing

/// Mistakes that are planted on purpose are found. `simulate bugs` measures all of them in a release build.
struct PlantedMistakeTests {
    @Test("Every mistake has a name of its own and a scenario that exists")
    func mistakesAreNamed() {
        #expect(ShopBugs.all.count >= 12)
        #expect(Set(ShopBugs.all.map(\.name)).count == ShopBugs.all.count)
        for bug in ShopBugs.all { #expect(ShopScenarios.named(bug.scenario) != nil, "\(bug.name)") }
    }

    @Test("An unknown mistake is refused with the names of those that are known")
    func unknownMistakeIsRefused() {
        #expect(throws: ShopBugs.UnknownBug.self) { try ShopRuns.scenario("default", orders: 1, bug: "no-such") }
        do {
            _ = try ShopRuns.scenario("default", orders: 1, bug: "no-such")
        } catch {
            #expect("\(error)".hasPrefix("unknown bug 'no-such'; known are offset-committed-before-database, "))
        }
    }
}
