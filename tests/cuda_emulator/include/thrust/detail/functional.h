// Function objects, without the weight of <functional>.
#ifndef CUDA_EMULATOR_THRUST_DETAIL_FUNCTIONAL_H
#define CUDA_EMULATOR_THRUST_DETAIL_FUNCTIONAL_H

#include <type_traits>
#include <utility>

namespace thrust {

// name<T> for arguments of one type, name<> for any.
#define CUDA_EMULATOR_BINARY(name, result, expression)                           \
    template <class T = void>                                                    \
    struct name {                                                                \
        using first_argument_type = T;                                           \
        using second_argument_type = T;                                          \
        using result_type = result;                                              \
        constexpr result operator()(const T& a, const T& b) const { return expression; } \
    };                                                                           \
    template <>                                                                  \
    struct name<void> {                                                          \
        template <class A, class B>                                              \
        constexpr auto operator()(A&& a, B&& b) const {                          \
            return expression;                                                   \
        }                                                                        \
    };
#define CUDA_EMULATOR_UNARY(name, result, expression)                            \
    template <class T = void>                                                    \
    struct name {                                                                \
        using argument_type = T;                                                 \
        using result_type = result;                                              \
        constexpr result operator()(const T& a) const { return expression; }     \
    };                                                                           \
    template <>                                                                  \
    struct name<void> {                                                          \
        template <class A>                                                       \
        constexpr auto operator()(A&& a) const {                                 \
            return expression;                                                   \
        }                                                                        \
    };
CUDA_EMULATOR_BINARY(plus, T, a + b)
CUDA_EMULATOR_BINARY(minus, T, a - b)
CUDA_EMULATOR_BINARY(multiplies, T, a* b)
CUDA_EMULATOR_BINARY(divides, T, a / b)
CUDA_EMULATOR_BINARY(modulus, T, a % b)
CUDA_EMULATOR_BINARY(equal_to, bool, a == b)
CUDA_EMULATOR_BINARY(not_equal_to, bool, a != b)
CUDA_EMULATOR_BINARY(less, bool, a < b)
CUDA_EMULATOR_BINARY(greater, bool, a > b)
CUDA_EMULATOR_BINARY(less_equal, bool, a <= b)
CUDA_EMULATOR_BINARY(greater_equal, bool, a >= b)
CUDA_EMULATOR_BINARY(logical_and, bool, a&& b)
CUDA_EMULATOR_BINARY(logical_or, bool, a || b)
CUDA_EMULATOR_BINARY(bit_and, T, a& b)
CUDA_EMULATOR_BINARY(bit_or, T, a | b)
CUDA_EMULATOR_BINARY(bit_xor, T, a ^ b)
CUDA_EMULATOR_BINARY(maximum, T, a < b ? b : a)
CUDA_EMULATOR_BINARY(minimum, T, b < a ? b : a)
CUDA_EMULATOR_UNARY(negate, T, -a)
CUDA_EMULATOR_UNARY(logical_not, bool, !a)
CUDA_EMULATOR_UNARY(square, T, a* a)
#undef CUDA_EMULATOR_BINARY
#undef CUDA_EMULATOR_UNARY

template <class T = void>
struct identity {
    using argument_type = T;
    using result_type = T;
    constexpr const T& operator()(const T& value) const { return value; }
};
template <>
struct identity<void> {
    template <class T>
    constexpr T&& operator()(T&& value) const {
        return std::forward<T>(value);
    }
};

template <class T = void, class = void>
struct project1st {
    template <class A, class B>
    constexpr A&& operator()(A&& a, B&&) const {
        return std::forward<A>(a);
    }
};
template <class T = void, class = void>
struct project2nd {
    template <class A, class B>
    constexpr B&& operator()(A&&, B&& b) const {
        return std::forward<B>(b);
    }
};

template <class Predicate>
struct unary_negate {
    Predicate predicate;
    template <class... Arguments>
    bool operator()(Arguments&&... arguments) {
        return !predicate(std::forward<Arguments>(arguments)...);
    }
};
template <class Predicate>
unary_negate<Predicate> not_fn(Predicate predicate) {
    return {predicate};
}

// `_1 > 3`, `_1 * 2 + _2`: functions written as expressions.
namespace placeholders {
namespace detail {

struct Expression {};

template <int n>
struct Argument : Expression {
    template <class First, class... Rest>
    constexpr decltype(auto) operator()(First&& first, Rest&&... rest) const {
        if constexpr (n == 1)
            return static_cast<First&&>(first);
        else
            return Argument<n - 1>()(std::forward<Rest>(rest)...);
    }
};

template <class T>
struct Value : Expression {
    T value;
    explicit constexpr Value(const T& value) : value(value) {}
    template <class... Arguments>
    constexpr const T& operator()(Arguments&&...) const {
        return value;
    }
};

template <class Op, class A, class B>
struct Binary : Expression {
    A a;
    B b;
    constexpr Binary(const A& a, const B& b) : a(a), b(b) {}
    template <class... Arguments>
    constexpr auto operator()(Arguments&&... arguments) const {
        return Op()(a(arguments...), b(arguments...));
    }
};

template <class Op, class A>
struct Unary : Expression {
    A a;
    explicit constexpr Unary(const A& a) : a(a) {}
    template <class... Arguments>
    constexpr auto operator()(Arguments&&... arguments) const {
        return Op()(a(arguments...));
    }
};

template <class T>
constexpr bool is_expression = std::is_base_of<Expression, T>::value;

template <class T>
constexpr auto node(const T& value) {
    if constexpr (is_expression<T>)
        return value;
    else
        return Value<T>(value);
}

#define CUDA_EMULATOR_OPERATOR(op, function)                                                  \
    template <class A, class B, std::enable_if_t<is_expression<A> || is_expression<B>, int> = 0> \
    constexpr auto operator op(const A& a, const B& b) {                                      \
        return Binary<function<>, decltype(node(a)), decltype(node(b))>(node(a), node(b));    \
    }
CUDA_EMULATOR_OPERATOR(+, plus)
CUDA_EMULATOR_OPERATOR(-, minus)
CUDA_EMULATOR_OPERATOR(*, multiplies)
CUDA_EMULATOR_OPERATOR(/, divides)
CUDA_EMULATOR_OPERATOR(%, modulus)
CUDA_EMULATOR_OPERATOR(==, equal_to)
CUDA_EMULATOR_OPERATOR(!=, not_equal_to)
CUDA_EMULATOR_OPERATOR(<, less)
CUDA_EMULATOR_OPERATOR(>, greater)
CUDA_EMULATOR_OPERATOR(<=, less_equal)
CUDA_EMULATOR_OPERATOR(>=, greater_equal)
CUDA_EMULATOR_OPERATOR(&&, logical_and)
CUDA_EMULATOR_OPERATOR(||, logical_or)
CUDA_EMULATOR_OPERATOR(&, bit_and)
CUDA_EMULATOR_OPERATOR(|, bit_or)
CUDA_EMULATOR_OPERATOR(^, bit_xor)
#undef CUDA_EMULATOR_OPERATOR
template <class A, std::enable_if_t<is_expression<A>, int> = 0>
constexpr auto operator-(const A& a) {
    return Unary<negate<>, A>(a);
}
template <class A, std::enable_if_t<is_expression<A>, int> = 0>
constexpr auto operator!(const A& a) {
    return Unary<logical_not<>, A>(a);
}

}  // namespace detail

inline constexpr detail::Argument<1> _1{};
inline constexpr detail::Argument<2> _2{};
inline constexpr detail::Argument<3> _3{};
inline constexpr detail::Argument<4> _4{};

}  // namespace placeholders
}  // namespace thrust

#endif
