import Ports

extension PostgresServer {
    private var serializationFailure: DatabaseError {
        failure(
            .serializationFailure,
            "could not serialize access due to read/write dependencies among transactions")
    }

    /// Whether the session's transaction is SERIALIZABLE and has taken its snapshot.
    func serializableNode(_ session: Int) -> Int? {
        let node = sessions[session].transaction.serializableNode
        return node < 0 ? nil : node
    }

    /// Fails a transaction that another's commit has doomed.
    func checkDoom(_ session: Int) throws(DatabaseError) {
        if let node = serializableNode(session), serialization.isDoomed(node) { throw serializationFailure }
    }

    /// Notes what a search of the session looked at, and whose newer versions it did not see.
    mutating func trackReads(
        _ session: Int, _ table: Int, _ path: AccessPath, _ condition: [Comparison]
    ) throws(DatabaseError) {
        guard let node = serializableNode(session) else { return }
        let stop = sessions[session].progress.resumesAfter
        let examination = tables[table].examination(path, condition, table: table, stop: stop)
        for target in examination.targets { serialization.addReadLock(node, target) }
        for row in examination.rows {
            try trackRead(session, node, RowReference(table: Int32(table), row: row))
        }
    }

    /// Notes that the session has read a row, or found that it does not exist for it.
    mutating func trackRead(_ session: Int, _ row: RowReference) throws(DatabaseError) {
        guard let node = serializableNode(session) else { return }
        try trackRead(session, node, row)
    }

    private mutating func trackRead(_ session: Int, _ node: Int, _ row: RowReference) throws(DatabaseError) {
        serialization.addReadLock(node, .row(row))
        let table = Int(row.table)
        let snapshot = serialization.nodes[node].snapshot
        var version = tables[table].rows[Int(row.row)].newest
        while version != TableStore.none {
            let stamp = tables[table].versions[Int(version)].stamp
            if stamp <= snapshot { return }
            version = tables[table].versions[Int(version)].older
            guard let writer = writer(of: stamp), writer != node else { continue }
            if !serialization.addEdge(reader: node, writer: writer, acting: node) { throw serializationFailure }
        }
    }

    /// The serializable transaction that wrote a version.
    private func writer(of stamp: UInt64) -> Int? {
        if stamp < VersionStamp.uncommitted { return serialization.node(ofCommit: stamp) }
        return serializableNode(VersionStamp.session(of: stamp))
    }

    /// Notes a change and looks for those who have read what it changes.
    ///
    /// - Parameters:
    ///   - row: the row that is changed; `nil` for one that is inserted.
    ///   - new: its values afterwards; empty when it is deleted.
    ///   - touched: the keys and indexes in which a new entry appears.
    mutating func trackWrite(
        _ session: Int, _ table: Int, row: UInt32?, new: [Value], touched: UInt32
    ) throws(DatabaseError) {
        guard let node = serializableNode(session) else { return }
        var mayGoOn = serialization.write(node, over: .table(table))
        if mayGoOn, let row {
            mayGoOn = serialization.write(node, over: .row(RowReference(table: Int32(table), row: row)))
        }
        var rest = new.isEmpty ? 0 : touched
        while mayGoOn && rest != 0 {
            let number = rest.trailingZeroBitCount
            rest &= rest - 1
            mayGoOn = trackEntry(node, table, number, new, row: row ?? .max)
        }
        if !mayGoOn { throw serializationFailure }
    }

    private mutating func trackEntry(_ node: Int, _ table: Int, _ number: Int, _ new: [Value], row: UInt32) -> Bool {
        let layout = tables[table].layout
        var ordered = number - layout.keys.count
        if number < layout.keys.count {
            let hash = tables[table].keyHash(new, key: number)
            guard serialization.write(node, over: .key(table: table, key: number, hash: hash)) else { return false }
            ordered = layout.table.indexes.count + number
        }
        guard let index = tables[table].orderedIndexes[ordered] else { return true }
        return serialization.write(node, of: index.entry(new, row: row), in: index, table: table, number: ordered)
    }

    /// Before a unique violation is reported: a transaction that had looked for the key could not have run alone, and is
    /// told so instead. Source: src/backend/access/nbtree/nbtinsert.c, _bt_check_unique.
    mutating func trackViolation(_ session: Int, _ table: Int, key: Int, _ values: [Value]) throws(DatabaseError) {
        try trackWrite(session, table, row: nil, new: values, touched: 1 << UInt32(key))
    }

    /// Notes that the session frees keys: whoever takes one of them must come after it, though no snapshot says so.
    mutating func trackFreedKeys(_ session: Int, _ table: Int, _ old: [Value], new: [Value], touched: UInt32) {
        guard let node = serializableNode(session) else { return }
        for key in tables[table].layout.keys.indices where new.isEmpty || touched & 1 << UInt32(key) != 0 {
            let hash = tables[table].keyHash(old, key: key)
            serialization.addReadLock(node, .key(table: table, key: key, hash: hash))
        }
    }

    // MARK: Life

    mutating func beginSerializable(_ session: Int, _ snapshot: UInt64) {
        sessions[session].transaction.serializableNode = serialization.begin(snapshot: snapshot)
    }

    /// Asks whether the session's transaction may commit.
    mutating func prepareSerializable(_ session: Int) throws(DatabaseError) {
        guard let node = serializableNode(session) else { return }
        if !serialization.prepare(node) { throw serializationFailure }
    }

    /// - Parameter sequence: that of its commit; the present one for a transaction that wrote nothing.
    mutating func commitSerializable(_ session: Int, isReadOnly: Bool) {
        guard let node = serializableNode(session) else { return }
        sessions[session].transaction.serializableNode = -1
        serialization.commit(node, sequence: commitSequence, isReadOnly: isReadOnly)
    }

    mutating func abortSerializable(_ session: Int) {
        guard let node = serializableNode(session) else { return }
        sessions[session].transaction.serializableNode = -1
        serialization.abort(node)
    }
}
