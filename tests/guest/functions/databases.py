"""SQLite: connections of one sandbox read together while one writes; what others may reach is locked for them too. The output is b"fine"."""
import os
import sqlite3
import time

from pyfaasm import *  # noqa: F403


def locked(connection, sql):
    try:
        connection.execute(sql)
    except sqlite3.OperationalError as error:
        connection.rollback()
        return "database is locked" in str(error)
    return False


def connections(path):
    one, two = sqlite3.connect(path, timeout=0), sqlite3.connect(path, timeout=0)
    one.execute("create table t (x)")
    one.execute("insert into t values (1)")
    one.commit()
    readers = [connection.execute("select * from t") for connection in (one, two)]
    assert [next(reader) for reader in readers] == [(1,), (1,)]
    for reader in readers:
        reader.close()
    one.execute("begin immediate")
    assert locked(two, "begin immediate") and locked(two, "insert into t values (2)")
    assert two.execute("select * from t").fetchall() == [(1,)]
    one.execute("insert into t values (3)")
    one.commit()
    assert two.execute("select * from t").fetchall() == [(1,), (3,)]
    other = sqlite3.connect(path + "2", timeout=0)
    one.execute("begin exclusive")
    assert locked(two, "select * from t")
    other.execute("create table u (x)")
    for connection in one, two, other:
        connection.rollback()
        connection.close()
    assert not os.path.exists(path + ".lock")


def faasm_main():
    connections("/tmp/data")
    connections("faasm://data")
    return "fine"


def hold(data):
    connection = sqlite3.connect("faasm://held")
    connection.execute("begin immediate")
    while data == b"on" and not read_state_size("enough"):
        time.sleep(0.01)
    connection.execute("create table t (x)")
    connection.commit()
    connection.close()


def attempt(data):
    connection = sqlite3.connect("faasm://held", timeout=0)
    return str(locked(connection, "begin immediate"))


def end(data):
    write_state("enough", b"1")
