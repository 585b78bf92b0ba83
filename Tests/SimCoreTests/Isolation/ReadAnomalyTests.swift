import SimCore
import Testing

/// Anomalies that show in a read by itself: one hand-made history each, and the clean one beside it.
struct ReadAnomalyTests {
    @Test("G1a: a committed transaction read what an aborted one had appended")
    func abortedRead() throws {
        #expect(try kinds(concurrent(aborted(append(x, 1)), committed(read(x, [1])))) == [.g1a])
        #expect(try kinds(concurrent(aborted(append(x, 1)), committed(read(x, [])))) == [])
    }

    @Test("An append of unknown outcome that was read is taken for committed")
    func unknownOutcomeThatWasRead() throws {
        #expect(try kinds(concurrent(unknown(append(x, 1)), committed(read(x, [1])))) == [])
        #expect(try kinds(concurrent(unanswered(append(x, 1)), committed(read(x, [1])))) == [])
    }

    @Test("What an aborted transaction read is not judged")
    func abortedReaderIsNotJudged() throws {
        #expect(try kinds(concurrent(aborted(append(x, 1)), aborted(read(x, [1, 9])))) == [])
    }

    @Test("G1b: a list was read between two appends of another transaction")
    func intermediateRead() throws {
        let writer = committed(append(x, 1), append(x, 2))
        #expect(try kinds(concurrent(writer, committed(read(x, [1])))).contains(.g1b))
        #expect(try kinds(concurrent(writer, committed(read(x, [1, 2])))) == [])
    }

    @Test("A transaction may read between its own appends")
    func ownIntermediateRead() throws {
        #expect(try kinds(concurrent(committed(append(x, 1), read(x, [1]), append(x, 2), read(x, [1, 2])))) == [])
    }

    @Test("Garbage read: an element that nobody appended")
    func garbageRead() throws {
        #expect(try kinds(concurrent(committed(append(x, 1)), committed(read(x, [1, 9])))) == [.garbageRead])
        #expect(try kinds(concurrent(committed(append(y, 9)), committed(read(x, [9])))) == [.garbageRead])
    }

    @Test("Duplicate elements: one append, twice in the list")
    func duplicateElements() throws {
        #expect(try kinds(concurrent(committed(append(x, 1)), committed(read(x, [1, 1])))) == [.duplicateElements])
    }

    @Test("Incompatible order: two states of a list of which neither grew from the other")
    func incompatibleOrder() throws {
        let writers = [committed(append(x, 1)), committed(append(x, 2))]
        #expect(
            try kinds(concurrent(writers[0], writers[1], committed(read(x, [1])), committed(read(x, [2]))))
                == [.incompatibleOrder])
        #expect(
            try kinds(concurrent(writers[0], writers[1], committed(read(x, [1])), committed(read(x, [1, 2]))))
                == [])
    }

    @Test("Nothing is concluded from the place of an element that only some reads saw")
    func contestedElementsGiveNoEdges() throws {
        // If 2, which the first read did not see, counted as appended after 3, its writer would follow the other both ways.
        let history = concurrent(
            committed(append(x, 1)), committed(append(x, 2), append(y, 1)), committed(append(x, 3), append(y, 2)),
            committed(read(x, [1, 3])), committed(read(x, [1, 2])), committed(read(y, [1, 2])))
        #expect(try kinds(history) == [.incompatibleOrder])
    }

    @Test("Internal: a transaction does not see its own append")
    func ownAppendMissed() throws {
        #expect(try kinds(concurrent(committed(append(x, 1), read(x, [])))) == [.internalInconsistency])
        #expect(
            try kinds(concurrent(committed(append(x, 1)), committed(read(x, []), append(x, 2), read(x, [1]))))
                .contains(.internalInconsistency))
    }

    @Test("Internal: a transaction sees less of a list than before")
    func readGoesBack() throws {
        #expect(
            try kinds(concurrent(committed(append(x, 1)), committed(read(x, [1]), read(x, []))))
                .contains(.internalInconsistency))
        let reordered = try kinds(
            concurrent(committed(append(x, 1)), committed(append(x, 2)), committed(read(x, [1]), read(x, [2, 1]))))
        #expect(reordered.contains(.internalInconsistency) && !reordered.contains(.nonRepeatableRead))
    }

    @Test("Non-repeatable read: another's append appears between two reads of one transaction")
    func nonRepeatableRead() throws {
        let found = try kinds(concurrent(committed(append(x, 1)), committed(read(x, []), read(x, [1]))))
        #expect(found == [.gSingle, .nonRepeatableRead])
        let grown = try kinds(
            concurrent(committed(append(x, 1)), committed(read(x, []), append(x, 2), read(x, [1, 2]))))
        #expect(grown.contains(.nonRepeatableRead) && !grown.contains(.internalInconsistency))
        #expect(try kinds(concurrent(committed(append(x, 1)), committed(read(x, [1]), read(x, [1])))) == [])
    }

    @Test("Future read: a transaction read an element before it appended it")
    func futureRead() throws {
        #expect(try kinds(concurrent(committed(read(x, [1]), append(x, 1)))) == [.futureRead])
    }

    @Test("Lost update: two transactions read one state of a list and both appended to it")
    func lostUpdate() throws {
        let first = committed(read(x, []), append(x, 1))
        let second = committed(read(x, []), append(x, 2))
        // Nobody knows which append came first; each missed the other in either case.
        #expect(try kinds(concurrent(first, second)) == [.g2Item, .lostUpdate])
        // Seen by a reader, it is a cycle as well.
        #expect(try kinds(concurrent(first, second, committed(read(x, [1, 2])))) == [.gSingle, .lostUpdate])
        #expect(try kinds(concurrent(first, committed(read(x, [1]), append(x, 2)))) == [])
        #expect(try kinds(concurrent(first, aborted(read(x, []), append(x, 2)))) == [])
        // It acted on what it read last.
        let rereader = committed(read(x, []), read(x, [1]), append(x, 2))
        #expect(!(try kinds(concurrent(first, rereader)).contains(.lostUpdate)))
        // A state read after an append of one's own was not acted on before it.
        #expect(try kinds(concurrent(committed(append(x, 1)), committed(append(x, 2), read(x, [1, 2])))) == [])
    }
}
