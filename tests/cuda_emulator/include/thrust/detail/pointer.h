// Pointers to device memory, and what stands for the values behind them on the host.
#ifndef CUDA_EMULATOR_THRUST_POINTER_H
#define CUDA_EMULATOR_THRUST_POINTER_H

#include <iosfwd>

#include "thrust/detail/error.h"

namespace thrust {

template <class T>
class device_ptr;
template <class T>
class device_reference;

namespace detail {

template <class T, class Value = std::remove_const_t<T>>
Value load(T* from) {
    if (cuda_emulator::in_kernel()) return *from;
    alignas(Value) unsigned char bytes[sizeof(Value)];
    throw_on_error(cudaMemcpy(bytes, from, sizeof(Value), cudaMemcpyDeviceToHost),
                   "device_reference: reading failed");
    return *std::launder(reinterpret_cast<Value*>(bytes));
}

template <class T>
void store(T* to, const T& value) {
    if (cuda_emulator::in_kernel())
        *to = value;
    else
        throw_on_error(cudaMemcpy(to, &value, sizeof(T), cudaMemcpyHostToDevice),
                       "device_reference: writing failed");
}

}  // namespace detail

// Each use on the host is a copy from or to the device.
template <class T>
class device_reference {
    T* address;

    template <class Change>
    device_reference& change(Change apply) {
        std::remove_const_t<T> value = detail::load(address);
        apply(value);
        detail::store(address, value);
        return *this;
    }

public:
    using value_type = std::remove_const_t<T>;
    using pointer = device_ptr<T>;

    explicit device_reference(const pointer& at) : address(at.get()) {}
    device_reference(const device_reference&) = default;
    template <class U, class = std::enable_if_t<std::is_convertible<U*, T*>::value>>
    device_reference(const device_reference<U>& other) : address((&other).get()) {}

    pointer operator&() const { return pointer(address); }
    operator value_type() const { return detail::load(address); }

    const device_reference& operator=(const value_type& value) const {
        detail::store(address, value);
        return *this;
    }
    device_reference& operator=(const value_type& value) {
        detail::store(address, value);
        return *this;
    }
    device_reference& operator=(const device_reference& other) {
        return *this = static_cast<value_type>(other);
    }
    template <class U>
    device_reference& operator=(const device_reference<U>& other) {
        return *this = static_cast<value_type>(static_cast<std::remove_const_t<U>>(other));
    }

#define CUDA_EMULATOR_CHANGE(op)                                        \
    template <class U>                                                  \
    device_reference& operator op(const U & operand) {                  \
        return change([&](value_type& value) { value op operand; });    \
    }
    CUDA_EMULATOR_CHANGE(+=)
    CUDA_EMULATOR_CHANGE(-=)
    CUDA_EMULATOR_CHANGE(*=)
    CUDA_EMULATOR_CHANGE(/=)
    CUDA_EMULATOR_CHANGE(%=)
    CUDA_EMULATOR_CHANGE(<<=)
    CUDA_EMULATOR_CHANGE(>>=)
    CUDA_EMULATOR_CHANGE(&=)
    CUDA_EMULATOR_CHANGE(|=)
    CUDA_EMULATOR_CHANGE(^=)
#undef CUDA_EMULATOR_CHANGE

    device_reference& operator++() {
        return change([](value_type& value) { ++value; });
    }
    device_reference& operator--() {
        return change([](value_type& value) { --value; });
    }
    value_type operator++(int) {
        value_type before = *this;
        ++*this;
        return before;
    }
    value_type operator--(int) {
        value_type before = *this;
        --*this;
        return before;
    }

    void swap(device_reference other) {
        value_type mine = *this;
        *this = static_cast<value_type>(other);
        other = mine;
    }
    friend void swap(device_reference a, device_reference b) { a.swap(b); }

    template <class Char, class Traits>
    friend std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                                        const device_reference& reference) {
        return out << static_cast<value_type>(reference);
    }
};

namespace detail {

// What device_ptr<T> and device_ptr<void> share.
template <class T>
class PointerBase {
protected:
    T* address = nullptr;

public:
    using raw_pointer = T*;

    PointerBase() = default;
    PointerBase(decltype(nullptr)) {}
    explicit PointerBase(T* address) : address(address) {}
    T* get() const { return address; }
    explicit operator bool() const { return address != nullptr; }
};

}  // namespace detail

template <class T>
class device_ptr : public detail::PointerBase<T> {
    using Base = detail::PointerBase<T>;
    using Base::address;

public:
    using value_type = std::remove_const_t<T>;
    using element_type = T;
    using reference = device_reference<T>;
    using pointer = device_ptr;
    using difference_type = ptrdiff_t;
    using iterator_category = std::random_access_iterator_tag;

    using Base::Base;
    device_ptr() = default;
    template <class U, class = std::enable_if_t<std::is_convertible<U*, T*>::value &&
                                                !std::is_void<U>::value>>
    device_ptr(const device_ptr<U>& other) : Base(other.get()) {}
    template <class U, class = std::enable_if_t<std::is_void<U>::value>, class = void>
    explicit device_ptr(const device_ptr<U>& other) : Base(static_cast<T*>(other.get())) {}

    reference operator*() const { return reference(*this); }
    reference operator[](difference_type n) const { return *(*this + n); }

    device_ptr& operator+=(difference_type n) {
        address += n;
        return *this;
    }
    device_ptr& operator-=(difference_type n) {
        address -= n;
        return *this;
    }
    device_ptr& operator++() { return *this += 1; }
    device_ptr& operator--() { return *this -= 1; }
    device_ptr operator++(int) { return device_ptr(address++); }
    device_ptr operator--(int) { return device_ptr(address--); }
    friend device_ptr operator+(device_ptr p, difference_type n) { return p += n; }
    friend device_ptr operator+(difference_type n, device_ptr p) { return p += n; }
    friend device_ptr operator-(device_ptr p, difference_type n) { return p -= n; }
};

template <>
class device_ptr<void> : public detail::PointerBase<void> {
public:
    using detail::PointerBase<void>::PointerBase;
    template <class U, class = std::enable_if_t<!std::is_const<U>::value>>
    device_ptr(const device_ptr<U>& other) : PointerBase(other.get()) {}
};

template <>
class device_ptr<const void> : public detail::PointerBase<const void> {
public:
    using detail::PointerBase<const void>::PointerBase;
    template <class U>
    device_ptr(const device_ptr<U>& other) : PointerBase(other.get()) {}
};

template <class T, class U>
ptrdiff_t operator-(const device_ptr<T>& a, const device_ptr<U>& b) {
    return a.get() - b.get();
}
#define CUDA_EMULATOR_COMPARE(op)                                        \
    template <class T, class U>                                          \
    bool operator op(const device_ptr<T>& a, const device_ptr<U>& b) {   \
        return a.get() op b.get();                                       \
    }
CUDA_EMULATOR_COMPARE(==)
CUDA_EMULATOR_COMPARE(!=)
CUDA_EMULATOR_COMPARE(<)
CUDA_EMULATOR_COMPARE(>)
CUDA_EMULATOR_COMPARE(<=)
CUDA_EMULATOR_COMPARE(>=)
#undef CUDA_EMULATOR_COMPARE
template <class T>
bool operator==(const device_ptr<T>& a, decltype(nullptr)) {
    return a.get() == nullptr;
}
template <class T>
bool operator!=(const device_ptr<T>& a, decltype(nullptr)) {
    return a.get() != nullptr;
}
template <class T>
bool operator==(decltype(nullptr), const device_ptr<T>& a) {
    return a.get() == nullptr;
}
template <class T>
bool operator!=(decltype(nullptr), const device_ptr<T>& a) {
    return a.get() != nullptr;
}
template <class Char, class Traits, class T>
std::basic_ostream<Char, Traits>& operator<<(std::basic_ostream<Char, Traits>& out,
                                             const device_ptr<T>& pointer) {
    return out << pointer.get();
}

template <class T>
device_ptr<T> device_pointer_cast(T* pointer) {
    return device_ptr<T>(pointer);
}
template <class T>
device_ptr<T> device_pointer_cast(const device_ptr<T>& pointer) {
    return pointer;
}

template <class T>
T* raw_pointer_cast(T* pointer) {
    return pointer;
}
template <class T>
T* raw_pointer_cast(const device_ptr<T>& pointer) {
    return pointer.get();
}

template <class T>
T& raw_reference_cast(T& reference) {
    return reference;
}
template <class T>
T& raw_reference_cast(const device_reference<T>& reference) {
    return *(&reference).get();
}

}  // namespace thrust

#endif
