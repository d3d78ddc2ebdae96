def faasm_main():
    pass
