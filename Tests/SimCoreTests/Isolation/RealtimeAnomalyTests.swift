import SimCore
import Testing

/// Cycles that need the order of real time.
struct RealtimeAnomalyTests {
    @Test("G-single-realtime: what was committed before is not seen")
    func staleRead() throws {
        let history = oneAfterAnother(committed(append(x, 1)), committed(read(x, [])))
        #expect(try kinds(history) == [])
        #expect(try kinds(history, realtime: true) == [.gSingleRealtime])
        #expect(try kinds(concurrent(committed(append(x, 1)), committed(read(x, []))), realtime: true) == [])
    }

    @Test("G-single-realtime across transactions between: order in real time is transitive")
    func staleReadAcrossOthers() throws {
        let history = oneAfterAnother(
            committed(append(x, 1)), committed(append(y, 1)), committed(append(z, 1)), committed(read(x, [])))
        #expect(try kinds(history, realtime: true) == [.gSingleRealtime])
    }

    @Test("G0-realtime: appends in the order opposite to that of real time")
    func appendsAgainstRealtime() throws {
        let history = oneAfterAnother(
            committed(append(x, 2)), committed(append(x, 1)), committed(read(x, [1, 2])))
        #expect(try kinds(history, realtime: true) == [.g0Realtime])
    }

    @Test("G1c-realtime: a read of what is appended later")
    func readBeforeAppend() throws {
        let history = oneAfterAnother(committed(read(x, [1])), committed(append(x, 1)))
        #expect(try kinds(history, realtime: true) == [.g1cRealtime])
    }

    @Test("G2-item-realtime: serializable, but not in the order of real time")
    func notStrictlySerializable() throws {
        // The first misses the second's append, which misses the third's; the first began after the third was done.
        var history = History()
        let middle = committed(read(y, []), append(x, 1))
        let last = committed(append(y, 1))
        let first = committed(read(x, []), append(z, 1))
        history.invoke(0, middle)
        history.invoke(1, last)
        history.complete(1, last)
        history.invoke(1, first)
        history.complete(1, first)
        history.complete(0, middle)
        #expect(try kinds(history, realtime: true) == [.g2ItemRealtime])
        #expect(try kinds(history) == [])
    }

    @Test("An unknown outcome comes before nothing in real time")
    func unknownOutcomeIsNeverDone() throws {
        let history = oneAfterAnother(unknown(append(x, 1)), committed(read(x, [])), committed(read(x, [1])))
        #expect(try kinds(history, realtime: true) == [])
    }

    @Test("Of two transactions that ran at once, both come before one that is invoked after both")
    func concurrentOnesStayOnFrontier() throws {
        var history = History()
        let (first, second, later) = (committed(append(x, 1)), committed(append(y, 1)), committed(append(z, 1)))
        history.invoke(0, first)
        history.invoke(1, second)
        history.complete(0, first)
        history.complete(1, second)
        history.invoke(0, later)
        history.complete(0, later)
        let edges = try DependencyGraph(history, includesRealtime: true).dependencies.filter { $0.kind == .realtime }
        #expect(edges.map { [$0.source, $0.target] } == [[0, 2], [1, 2]])
    }

    @Test("Of transactions in a row only neighbours get an edge")
    func realtimeEdgesAreReduced() throws {
        let history = oneAfterAnother(
            committed(append(x, 1)), committed(append(y, 1)), committed(append(z, 1)), committed(append(x, 2)))
        let edges = try DependencyGraph(history, includesRealtime: true).dependencies.filter { $0.kind == .realtime }
        #expect(edges.map { [$0.source, $0.target] } == [[0, 1], [1, 2], [2, 3]])
    }
}
