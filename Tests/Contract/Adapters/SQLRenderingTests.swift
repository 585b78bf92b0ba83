#if Production
    @testable import AdapterPostgres
    import Ports
    import Testing

    @Suite("SQL rendering")
    struct SQLRenderingTests {
        private static let id = Fixtures.test.column("id")
        private static let value = Fixtures.test.column("value")

        private func sql(_ statement: Statement) -> String { RenderedStatement(statement).sql }

        @Test("A select with everything")
        func select() {
            let rendered = RenderedStatement(
                .select(
                    Select(
                        from: Fixtures.test, where: [Self.id >= 3, Self.value.isIn([1, 2]), Self.value.isNotNull],
                        orderedBy: [.descending(Self.value), .ascending(Self.id)], limit: 5, lock: .forUpdateSkipLocked)
                ))
            #expect(
                rendered.sql == """
                    SELECT "id", "value" FROM "test" WHERE "id" >= $1 AND "value" = ANY($2) AND "value" IS NOT NULL \
                    ORDER BY "value" DESC, "id" LIMIT $3 FOR UPDATE SKIP LOCKED
                    """)
            #expect(
                rendered.parameters == [.value(3, .int64), .array([1, 2], .int64), .value(5, .int64)])
            #expect(!rendered.isReadOnly)
        }

        @Test("The text depends on the shape only, never on a value or the number of rows")
        func shape() {
            let hostile = "'; DROP TABLE stock; --"
            let code = Fixtures.stock.column("code")
            #expect(
                sql(.select(Select(from: Fixtures.stock, where: [code == .text(hostile)])))
                    == sql(.select(Select(from: Fixtures.stock, where: [code == "x"]))))
            func rows(_ count: Int) -> Statement {
                .insert(Insert(into: Fixtures.test, rows: Array(repeating: [1, 2], count: count)))
            }
            #expect(sql(rows(2)) == sql(rows(500)))
            #expect(
                sql(.select(Select(from: Fixtures.test, where: [Self.id.isIn([])])))
                    == sql(.select(Select(from: Fixtures.test, where: [Self.id.isIn([1, 2, 3])]))))
            #expect(sql(Fixtures.read(1)) == sql(Fixtures.read(.max)))
        }

        @Test("Inserts and what they do on conflict")
        func insert() {
            let key = Fixtures.test.primaryKey
            #expect(sql(Fixtures.insert(1, 2)) == #"INSERT INTO "test" ("id", "value") VALUES ($1, $2)"#)
            #expect(
                sql(.insert(Insert(into: Fixtures.test, rows: [[1, 2], [3, 4]], onConflict: .doNothing(key: nil))))
                    == """
                    INSERT INTO "test" ("id", "value") SELECT * FROM unnest($1::bigint[], $2::bigint[]) ON CONFLICT DO NOTHING
                    """)
            let upsert = ConflictAction.doUpdate(
                key: key, assignments: [.setExcluded(Self.value), .increment(Self.id, by: 1)],
                condition: [Self.value < 9])
            #expect(
                sql(.insert(Insert(into: Fixtures.test, rows: [[1, 2]], onConflict: upsert, returning: true))) == """
                    INSERT INTO "test" ("id", "value") VALUES ($1, $2) ON CONFLICT ON CONSTRAINT "test_pkey" DO UPDATE SET \
                    "value" = excluded."value", "id" = "test"."id" + $3 WHERE "test"."value" < $4 \
                    RETURNING "test"."id", "test"."value"
                    """)
        }

        @Test("Updates and deletes")
        func change() {
            #expect(sql(Fixtures.set(1, 2)) == #"UPDATE "test" SET "value" = $1 WHERE "id" = $2"#)
            #expect(
                sql(.delete(Delete(from: Fixtures.test, where: [], returning: true)))
                    == #"DELETE FROM "test" RETURNING "test"."id", "test"."value""#)
        }

        @Test("DDL quotes names, sorts text by bytes and names constraints as PostgreSQL does")
        func ddl() {
            let table = Table(
                "order",
                columns: [.column("id", .uuid), .column("user", .text, nullable: true), .column("total", .int64)],
                primaryKey: ["id"], unique: [["user", "total"]],
                checks: [("total", { [$0[2] >= 0, $0[1] != "it's"] })], indexes: [["total"]])
            #expect(
                SchemaRenderer.create(table) == """
                    CREATE TABLE IF NOT EXISTS "order" (
                        "id" uuid NOT NULL,
                        "user" text COLLATE "C",
                        "total" bigint NOT NULL,
                        CONSTRAINT "order_pkey" PRIMARY KEY ("id"),
                        CONSTRAINT "order_user_total_key" UNIQUE ("user", "total"),
                        CONSTRAINT "order_total_check" CHECK ("total" >= 0 AND "user" <> 'it''s')
                    )
                    """)
            #expect(
                SchemaRenderer.statements(for: table).last
                    == #"CREATE INDEX IF NOT EXISTS "order_total_idx" ON "order" ("total")"#)
        }

        @Test("A value of another type than its column's is refused before it is sent")
        func mismatch() {
            #expect(throws: DatabaseError.self) {
                try EncodedParameters(
                    RenderedStatement(.select(Select(from: Fixtures.test, where: [Self.id == "x"]))).parameters)
            }
        }
    }

    @Suite("PostgreSQL URLs and errors")
    struct PostgresURLTests {
        @Test("A URL's parts are read, TLS parameters among them")
        func parts() throws {
            let url = try PostgresURL(
                "postgresql://shop:s%40cret@db.example:6432/order?sslmode=verify-full&sslrootcert=/ca.pem")
            #expect(url.host == "db.example")
            #expect(url.database == "order")
            #expect(url.user == "shop")
            #expect(url.value("password") == "s@cret")
            #expect(url.value("sslmode") == "verify-full")
            #expect(url.setting("dbname", to: "other").database == "other")
        }

        @Test("No text made of a URL holds its password")
        func noPassword() throws {
            let url = try PostgresURL("postgresql://shop:hunter2@db/order?passfile=/hunter2")
            var dumped = ""
            dump(url, to: &dumped)
            for text in ["\(url)", String(reflecting: url), "\([url])", dumped, "\(PostgresSettings(url: url))"] {
                #expect(!text.contains("hunter2"), "in: \(text)")
            }
        }

        @Test(
            "What is no URL is refused without repeating it",
            arguments: [
                "", "mysql://hunter2@db", "postgresql://shop:hunter2@db:port:x/", "host=db password=hunter2",
                "postgresql://db/order?nonsense=hunter2",
            ])
        func malformed(_ text: String) {
            let error = #expect(throws: PostgresURL.Invalid.self) { try PostgresURL(text) }
            #expect(error?.description.contains("hunter2") == false)
        }

        @Test("A refused connection's SQLSTATE is read from the verbose message")
        func connecting() {
            #expect(
                PostgresErrors.connecting(
                    "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  53300: sorry, too many clients already\n"
                        + "LOCATION:  InitProcess, proc.c:385")
                    == .statement(.tooManyConnections, message: "sorry, too many clients already"))
            #expect(
                PostgresErrors.connecting(
                    "connection to server at \"127.0.0.1\", port 25432 failed: Connection refused\n")
                    == .connectionLost("connection to server at \"127.0.0.1\", port 25432 failed: Connection refused"))
        }
    }
#endif
