import SimCore
import Testing

/// Anomalies that are cycles: one hand-made history each, with every edge of the cycle in words.
struct CycleAnomalyTests {
    @Test("G0: appends of two transactions follow each other both ways")
    func writeCycle() throws {
        let history = concurrent(
            committed(append(x, 1), append(y, 2)), committed(append(x, 2), append(y, 1)),
            committed(read(x, [1, 2]), read(y, [1, 2])))
        #expect(try kinds(history) == [.g0])
    }

    @Test("G1c: a cycle of appends and a read of an append")
    func cyclicInformationFlow() throws {
        let history = concurrent(
            committed(append(x, 1), read(y, [1])), committed(append(x, 2), append(y, 1)), committed(read(x, [1, 2])))
        #expect(try kinds(history) == [.g1c])
        let anomaly = try #require(try AnomalyFinder().anomalies(in: history).first)
        #expect(
            anomaly.sentences.sorted() == [
                "T3 before T4 (ww): T4 appended 2 to list 1 after T3's 1",
                "T4 before T3 (wr): T3 read T4's append of 1 to list 2",
            ])
        #expect(
            anomaly.description.contains(
                "T3 (process 0, committed): append 1 to list 1, read [1] from list 2"))
    }

    @Test("G1c: two transactions read each other's appends")
    func mutualReads() throws {
        #expect(
            try kinds(concurrent(committed(append(x, 1), read(y, [1])), committed(append(y, 1), read(x, [1])))) == [
                .g1c
            ])
    }

    @Test("G-single: half of another transaction's appends is seen")
    func readSkew() throws {
        let history = concurrent(committed(append(x, 1), append(y, 1)), committed(read(x, []), read(y, [1])))
        #expect(try kinds(history) == [.gSingle])
        let anomaly = try #require(try AnomalyFinder().anomalies(in: history).first)
        #expect(
            anomaly.sentences.sorted() == [
                "T2 before T3 (wr): T3 read T2's append of 1 to list 2",
                "T3 before T2 (rw): T3 read list 1 while it was empty, without T2's append of 1",
            ])
        #expect(try kinds(concurrent(committed(append(x, 1), append(y, 1)), committed(read(x, []), read(y, [])))) == [])
    }

    @Test("G-single in the middle of a list: the next append is missed, not one after it")
    func readSkewInTheMiddle() throws {
        let history = concurrent(
            committed(append(x, 1)), committed(append(x, 2), append(y, 1)), committed(append(x, 3)),
            committed(read(x, [1, 2, 3])), committed(read(x, [1]), read(y, [1])))
        #expect(try kinds(history) == [.gSingle])
        let cycles = try AnomalyFinder().anomalies(in: history).map(\.cycle.count)
        #expect(cycles == [2])
    }

    @Test("G-single through a third transaction")
    func readSkewThroughThird() throws {
        let history = concurrent(
            committed(append(x, 1)), committed(read(x, [1]), append(y, 1)), committed(read(y, [1]), read(x, [])))
        #expect(try kinds(history) == [.gSingle])
    }

    @Test("G2-item: write skew, two anti-dependencies in a row")
    func writeSkew() throws {
        let history = concurrent(committed(read(x, []), append(y, 1)), committed(read(y, []), append(x, 1)))
        #expect(try kinds(history) == [.g2Item])
    }

    @Test("G2-item: the read-only transaction anomaly, two anti-dependencies in a row and a read of an append")
    func readOnlyAnomaly() throws {
        // Fekete, O'Neil, O'Neil 2004: a deposit, a withdrawal that missed it, and a reader that saw only the deposit.
        let history = concurrent(
            committed(append(x, 1)), committed(read(x, []), append(y, 1)), committed(read(x, [1]), read(y, [])))
        #expect(try kinds(history) == [.g2Item])
        #expect(try AnomalyFinder().anomalies(in: history).first?.transactions.count == 3)
    }

    @Test("G-nonadjacent: a long fork, which snapshot isolation forbids")
    func longFork() throws {
        let history = concurrent(
            committed(append(x, 1)), committed(append(y, 1)), committed(read(x, [1]), read(y, [])),
            committed(read(x, []), read(y, [1])))
        #expect(try kinds(history) == [.gNonadjacent])
    }

    @Test("An append that nobody read comes after all that were read")
    func unobservedAppendComesLast() throws {
        // The append of 2 to x must follow 1, which follows this transaction's append to y.
        let history = concurrent(
            committed(append(x, 1), read(y, [1])), committed(append(x, 2), append(y, 1)), committed(read(x, [1])))
        #expect(try kinds(history) == [.g1c, .gSingle])
        // Of a reader of the last known state it is not known when it was appended, but that it was after.
        #expect(
            try kinds(concurrent(committed(read(x, []), append(y, 1)), committed(read(y, []), append(x, 1)))) == [
                .g2Item
            ])
    }

    @Test("An append of unknown outcome that nobody read closes no cycle")
    func unknownAppendClosesNoCycle() throws {
        #expect(try kinds(concurrent(committed(read(x, []), append(y, 1)), unknown(read(y, []), append(x, 1)))) == [])
        // Once one of its appends was read, it committed, and the other counts too.
        let proven = concurrent(
            unknown(append(x, 1), append(y, 1)), committed(read(x, []), read(z, [1])),
            committed(read(y, [1]), append(z, 1)))
        #expect(try kinds(proven) == [.gSingle])
    }

    @Test("Aborted transactions are no part of any cycle")
    func abortedIsNoPartOfCycle() throws {
        #expect(try kinds(concurrent(committed(read(x, []), append(y, 1)), aborted(read(y, []), append(x, 1)))) == [])
        // Not even when something that it appended was read.
        let halfSeen = concurrent(aborted(append(x, 1), append(y, 1)), committed(read(x, [1]), read(y, [])))
        #expect(try kinds(halfSeen) == [.g1a])
    }

    @Test("A serial history with every kind of edge is clean")
    func serialHistoryIsClean() throws {
        let history = oneAfterAnother(
            committed(read(x, []), append(x, 1), append(x, 2), read(x, [1, 2])), aborted(append(x, 3)),
            committed(read(x, [1, 2]), append(y, 1), append(x, 4)), unknown(append(y, 2)),
            committed(read(y, [1, 2]), read(x, [1, 2, 4]), append(z, 1)), committed(read(z, [1]), read(y, [1, 2])))
        #expect(try AnomalyFinder().anomalies(in: history) == [])
    }

    @Test("Each cycle is reported once, wherever it is entered")
    func cycleIsReportedOnce() throws {
        let history = concurrent(committed(read(x, []), append(y, 1)), committed(read(y, []), append(x, 1)))
        #expect(try AnomalyFinder().anomalies(in: history).count == 1)
    }

    @Test("No more examples of a kind are reported than asked for")
    func examplesAreLimited() throws {
        var history = History()
        for pair in 0..<10 as Range<Int64> {
            let (left, right) = (2 * pair, 2 * pair + 1)
            let first = committed(read(left, []), append(right, 1))
            let second = committed(read(right, []), append(left, 1))
            history.invoke(0, first)
            history.invoke(1, second)
            history.complete(0, first)
            history.complete(1, second)
        }
        #expect(try AnomalyFinder().anomalies(in: history).count == 10)
        #expect(try AnomalyFinder(maximumPerKind: 3).anomalies(in: history).count == 3)
        let garbage = oneAfterAnother(committed(read(x, [1])), committed(read(x, [1])), committed(read(x, [1])))
        #expect(try AnomalyFinder(maximumPerKind: 2).anomalies(in: garbage).count == 2)
    }
}
