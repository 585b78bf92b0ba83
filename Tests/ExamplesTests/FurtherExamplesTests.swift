import Examples
import SimCore
import Testing

/// The further examples that the articles quote.
struct FurtherExamplesTests {
    @Test("Every entry of the guestbook is read, in the order of writing, whatever crashes", arguments: 1...8)
    func guestbookIsRead(seed: Int) throws {
        let report = try guestbook().run(SimulationSettings(seed: UInt64(seed)))
        #expect(report.run.held, "\(report)")
    }

    @Test("A guestbook's faults take effect")
    func guestbookIsDisturbed() throws {
        let result = try Campaign(seeds: 1...8).run { seed in try guestbook().run(SimulationSettings(seed: seed)) }
        #expect(result.faults.map(\.kind) == ["connection-reset", "crash"])
        #expect(result.faultsWithoutEffect.isEmpty)
    }

    @Test("Handlers of a connection's two ends exchange words, in order")
    func wordsAreRepeated() throws {
        let report = try echo(words: ["one", "two", "three"]).run(SimulationSettings(seed: 1))
        #expect(report.run.held, "\(report)")
    }

    @Test("A sensor that sticks and fails is shown without an error, and its fault of its own kind took effect")
    func sensorSticks() throws {
        let result = try Campaign(seeds: 1...20).run { seed in
            try stickingSensor().run(SimulationSettings(seed: seed))
        }
        #expect(result.failures.isEmpty)
        #expect(result.faults.map(\.kind) == ["sensor-sticks"])
        #expect(result.faultsWithoutEffect.isEmpty)
        #expect(result.neverReached.isEmpty)
    }
}
