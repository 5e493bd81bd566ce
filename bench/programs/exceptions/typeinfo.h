/* Types at run time, as the Itanium C++ ABI lays them out (section 2.9.5). */
#ifndef BENCH_PROGRAMS_EXCEPTIONS_TYPEINFO_H
#define BENCH_PROGRAMS_EXCEPTIONS_TYPEINFO_H

namespace std {
class type_info {
  public:
    const char *name;
    virtual ~type_info();
    bool is(const type_info *) const;
    /* Whether it is a base of this type, or the same; *object, which is of this type, becomes that part of it. */
    virtual bool find_base(const type_info *base, void **object) const;
    virtual const type_info *pointee() const; /* NULL: it is no pointer */
};
} // namespace std

namespace __cxxabiv1 {
class __fundamental_type_info : public std::type_info {
  public:
    ~__fundamental_type_info() override;
};

class __pointer_type_info : public std::type_info {
  public:
    unsigned flags;
    const std::type_info *to;
    ~__pointer_type_info() override;
    const std::type_info *pointee() const override;
};

class __class_type_info : public std::type_info {
  public:
    ~__class_type_info() override;
};

class __si_class_type_info : public __class_type_info {
  public:
    const __class_type_info *base;
    ~__si_class_type_info() override;
    bool find_base(const std::type_info *, void **) const override;
};

class __vmi_class_type_info : public __class_type_info {
  public:
    unsigned flags, count;
    struct {
        const __class_type_info *base;
        long offset_flags;
    } bases[1];
    ~__vmi_class_type_info() override;
    bool find_base(const std::type_info *, void **) const override;
};
} // namespace __cxxabiv1

#endif
